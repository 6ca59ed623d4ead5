import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { type Announce, Climb } from "../../shared/ledger/climb.ts";
import type { Key, LedgerStore, Row, Update } from "../../shared/ledger/store.ts";
import { type OutgoingMessage, Queue } from "../../shared/queue.ts";

/** One access to what the processes share. */
export type Operation =
  | { readonly name: "get"; readonly key: Key }
  | { readonly name: "getMany"; readonly keys: readonly Key[] }
  | { readonly name: "update"; readonly key: Key; readonly update: Update }
  | { readonly name: "send"; readonly body: string }
  | { readonly name: "bury"; readonly body: string }
  | { readonly name: "announce"; readonly run: string }
  | { readonly name: "delete"; readonly message: string };

export type Result = Row | ReadonlyMap<string, Row> | undefined;

/** What a process works with: each call is one operation. */
export interface Tools {
  readonly store: LedgerStore;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly announce: Announce;
  readonly deleteMessage: (message: string) => Promise<void>;
}

/**
 * A part of what a process does with one message. All that it depends on beside the results of its operations is told
 * by its name, so that two stages of one name are one.
 */
export interface Stage {
  readonly name: string;
  /** What it is, whatever the data. */
  readonly kind: string;
  /** The message that the process holds meanwhile. */
  readonly message: string;
  /** Returns what may follow: nothing where the process is at its end, several where chance decides. */
  readonly run: (tools: Tools) => Promise<readonly Stage[]>;
}

/** Where a process stands: before its next operation. */
export interface Place {
  readonly message: string;
  readonly operation: number;
  /** Where it goes on after the stage. */
  readonly rest: readonly number[];
  /** How processes have come here: each goes on in the same way. */
  readonly pasts: Map<string, Past>;
  readonly view: View;
  /** The places that follow, by the result of the operation. */
  readonly next: Map<number, readonly number[]>;
  /** The same, by what the code sees of the result. */
  readonly ways: Map<string, Way>;
}

interface Past {
  readonly stage: Stage;
  /** What the stage's operations so far have shown. */
  readonly log: readonly Entry[];
}

interface Entry {
  readonly step: string;
  readonly seen: Result;
}

interface Way {
  readonly seen: Result;
  readonly following: readonly number[];
}

/** A process that has ended, or has not begun. */
export const IDLE = 0;

/** Things told apart by a text, and numbered. */
export class Numbered<Thing> {
  readonly things: Thing[] = [];
  readonly #numbers = new Map<string, number>();

  number(text: string, thing: () => Thing): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.things.length);
    return this.things.push(thing()) - 1;
  }

  at(number: number): Thing {
    assert.ok(number < this.things.length, `there is no number ${number}`);
    return this.things[number] as Thing;
  }
}

const EVERYTHING = "*";

/**
 * Which attributes of a row the code reads at one point. What it does not read can make no difference, so results that
 * differ in nothing else are one. A view begins with nothing, and learns from what the code reads.
 */
class View {
  readonly #attributes = new Set<string>();
  readonly #learns: () => void;

  constructor(learns: () => void) {
    this.#learns = learns;
  }

  /** What is seen of a row, or of rows. Where the code reads anything else, the view learns, and it was run in vain. */
  of<Whole>(whole: Whole): Whole {
    if (whole instanceof Map) return new Map([...whole].map(([key, row]) => [key, this.of(row)])) as Whole;
    if (typeof whole !== "object" || whole === null) return whole;
    return new Proxy(this.#seen(whole), {
      get: (row, name) => {
        // Whoever awaits it looks whether it is a promise.
        if (typeof name === "string" && name !== "then") this.#read(name);
        return Reflect.get(row, name);
      },
      ownKeys: (row) => {
        this.#read(EVERYTHING);
        return Reflect.ownKeys(row);
      },
    }) as Whole;
  }

  /** The same as text. */
  textOf(whole: unknown): string {
    if (whole instanceof Map) return [...whole].map(([key, row]) => `${key}=${this.textOf(row)}`).join();
    return typeof whole === "object" && whole !== null ? textOf(this.#seen(whole)) : String(whole);
  }

  #seen(whole: object): object {
    if (this.#attributes.has(EVERYTHING)) return whole;
    return Object.fromEntries(Object.entries(whole).filter(([name]) => this.#attributes.has(name)));
  }

  #read(name: string): void {
    if (this.#attributes.has(name) || this.#attributes.has(EVERYTHING)) return;
    this.#attributes.add(name);
    this.#learns();
  }
}

/** A view has learnt: what was found before with less in sight does not hold, and the exploration begins anew. */
export class Learnt extends Error {}

/** What was learnt of all points of the code. It serves the next exploration, too. */
class Knowledge {
  readonly #views = new Map<string, View>();
  readonly #parted = new Set<string>();
  #learnt = false;

  viewAt(point: string): View {
    const known = this.#views.get(point);
    if (known !== undefined) return known;
    const view = new View(() => {
      this.#learnt = true;
    });
    this.#views.set(point, view);
    return view;
  }

  /** Whether it makes a difference at a point how a process came there. */
  isParted(point: string): boolean {
    return this.#parted.has(point);
  }

  part(point: string): void {
    assert.ok(!this.#parted.has(point), "processes with one past go on in one way");
    this.#parted.add(point);
    this.#learnt = true;
  }

  /** @throws {Learnt} */
  check(): void {
    if (!this.#learnt) return;
    this.#learnt = false;
    throw new Learnt();
  }
}

const knowledge = new Knowledge();

/** A step of the climb, as a call of its own. */
interface Call {
  readonly name: "call";
  readonly kind: string;
  readonly text: string;
  readonly run: (climb: Climb) => Promise<void>;
}

type Perform = (step: Operation | Call) => Promise<Result>;

/** Who calls a step of the climb. */
const performing = new AsyncLocalStorage<Perform>();

/**
 * The processes' code as places and the ways between them: a process is where it is because of what it has seen, so
 * each place is found by running the code from its stage's start, with the results known so far, up to the next
 * operation. Each is found once, however many interleavings lead there.
 *
 * The steps of the climb are stages of their own: all they depend on are their arguments, and they return nothing. So
 * how the process came there is forgotten meanwhile, but for what it does after them.
 *
 * Processes that are about to do the same in stages of one kind are taken to be at one place, whatever they have seen.
 * That they go on in the same way is not taken on trust: at each result that occurs at a place, the code is run with
 * each past that has led there. Where two of them part, the past makes a difference, and the exploration begins anew.
 */
export class Code {
  readonly operations = new Numbered<Operation>();
  readonly #places: (Place | undefined)[] = [undefined];
  readonly #names = new Map<string, number>();
  readonly #entries = new Map<string, readonly number[]>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get count(): number {
    return this.#places.length;
  }

  at(place: number): Place {
    const found = this.#places[place];
    assert.ok(found !== undefined, `there is no place ${place}`);
    return found;
  }

  /** The places at which a stage may begin. */
  async enter(stage: Stage, rest: readonly number[] = [IDLE]): Promise<readonly number[]> {
    const name = `${stage.name} then ${rest}`;
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const entries = await this.#advance(stage, [], rest);
    this.#entries.set(name, entries);
    return entries;
  }

  /** The places that may follow a result of a place's operation. */
  async follow(number: number, resultNumber: number, result: Result): Promise<readonly number[]> {
    const place = this.at(number);
    const { view, next, ways } = place;
    const sight = view.textOf(result);
    let following = ways.get(sight)?.following;
    if (following === undefined) {
      const seen = view.of(result);
      for (const past of place.pasts.values()) following = await this.#go(place, past, seen, following);
      assert.ok(following !== undefined);
      ways.set(sight, { seen, following });
    }
    next.set(resultNumber, following);
    return following;
  }

  /** Where a past leads, which must be where the others lead. */
  async #go(place: Place, { stage, log }: Past, seen: Result, expected?: readonly number[]): Promise<readonly number[]> {
    const operation = this.operations.at(place.operation);
    const following = await this.#advance(stage, [...log, { step: textOf(operation), seen }], place.rest);
    if (expected !== undefined && textOf(expected) !== textOf(following)) {
      knowledge.part(pointOf(stage, operation));
      knowledge.check();
    }
    return following;
  }

  /** The place at which a process is about to do an operation. */
  async #place(operation: Operation, past: Past, rest: readonly number[]): Promise<number> {
    const { stage, log } = past;
    const point = pointOf(stage, operation);
    const pastText = `${stage.name} ${log.map(({ step, seen }) => `${step} ${textOf(seen)}`)}`;
    const name = `${stage.message} ${point} ${textOf(operation)} ${rest} ${knowledge.isParted(point) ? pastText : ""}`;
    const number = this.#names.get(name);
    if (number === undefined) {
      const pasts = new Map([[pastText, past]]);
      const view = knowledge.viewAt(point);
      const { message } = stage;
      const operationNumber = this.operations.number(textOf(operation), () => operation);
      this.#places.push({ message, operation: operationNumber, rest, pasts, view, next: new Map(), ways: new Map() });
      this.#names.set(name, this.#places.length - 1);
      return this.#places.length - 1;
    }
    const place = this.at(number);
    if (place.pasts.has(pastText)) return number;
    place.pasts.set(pastText, past);
    for (const { seen, following } of place.ways.values()) await this.#go(place, past, seen, following);
    return number;
  }

  async #advance(stage: Stage, log: readonly Entry[], rest: readonly number[]): Promise<readonly number[]> {
    const pending = Promise.withResolvers<Operation | Call>();
    let taken = 0;
    const perform: Perform = (step) => {
      assert.ok(taken <= log.length, "a process does one thing after the other");
      const past = log[taken++];
      if (past !== undefined) {
        assert.equal(past.step, stepText(step), "a process that sees the same does the same");
        return Promise.resolve(past.seen);
      }
      pending.resolve(step);
      return new Promise(() => {});
    };
    let end: Operation | Call | readonly Stage[];
    try {
      end = await performing.run(perform, () => Promise.race([pending.promise, stage.run(toolsOf(perform))]));
    } finally {
      // Before any error: it may come of what was not seen.
      knowledge.check();
    }
    if (!("name" in end)) {
      if (end.length === 0) return rest;
      const entries: number[] = [];
      for (const each of end) entries.push(...(await this.enter(each, rest)));
      return entries;
    }
    if (end.name === "call") {
      const after = await this.#advance(stage, [...log, { step: end.text, seen: undefined }], rest);
      return await this.enter(this.#climb(stage.message, end), after);
    }
    return [await this.#place(end, { stage, log }, rest)];
  }

  #climb(message: string, { kind, text, run }: Call): Stage {
    return {
      name: `${message}: ${text}`,
      kind,
      message,
      run: async ({ store, announce }) => {
        await run(new Climb(store, this.#now, announce));
        return [];
      },
    };
  }
}

const pointOf = (stage: Stage, operation: Operation): string =>
  `${stage.kind} ${operation.name} ${"key" in operation ? operation.key.sk : ""}`;

const stepText = (step: Operation | Call): string => (step.name === "call" ? step.text : textOf(step));

/** A value as text: the same for the same content, in whatever order its sets and attributes are. */
export function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_, part) => {
      if (part instanceof Set) return [...part].sort();
      if (part instanceof Map) return [...part].sort();
      if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
      return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? "nothing"
  );
}

/** Makes the steps of the climb calls, where processes are explored, until it is disposed of. */
export function climbInCalls(): Disposable {
  const { fromPage, fromBlock, fromRun } = Climb.prototype;
  const asCall = <Given extends unknown[]>(
    kind: string,
    original: (this: Climb, ...given: Given) => Promise<void>,
  ) =>
    async function (this: Climb, ...given: Given): Promise<void> {
      const perform = performing.getStore();
      if (perform === undefined) return await original.apply(this, given);
      const view = knowledge.viewAt(kind);
      const row = given.at(-1);
      const seen = given.with(-1, view.of(row)) as Given;
      const text = `${kind} ${given.slice(0, -1)} ${view.textOf(row)}`;
      await perform({ name: "call", kind, text, run: (climb) => original.apply(climb, seen) });
    };
  const originals = { fromPage, fromBlock, fromRun };
  Climb.prototype.fromPage = asCall("fromPage", fromPage);
  Climb.prototype.fromBlock = asCall("fromBlock", fromBlock);
  Climb.prototype.fromRun = asCall("fromRun", fromRun);
  return { [Symbol.dispose]: () => void Object.assign(Climb.prototype, originals) };
}

function toolsOf(perform: Perform): Tools {
  return {
    store: {
      get: async (key) => (await perform({ name: "get", key })) as Row | undefined,
      getMany: async (keys) => (await perform({ name: "getMany", keys })) as ReadonlyMap<string, Row>,
      update: async (key, update) => (await perform({ name: "update", key, update })) as Row | undefined,
      newest: () => Promise.reject(new Error("the list of runs is none of a run's processes' business")),
    },
    queue: new SteppingQueue(async (body) => void (await perform({ name: "send", body }))),
    deadLetterQueue: new SteppingQueue(async (body) => void (await perform({ name: "bury", body }))),
    announce: async ({ run }) => void (await perform({ name: "announce", run })),
    deleteMessage: async (message) => void (await perform({ name: "delete", message })),
  };
}

/** A queue that takes one message at a time: SQS may take one entry of a batch and refuse the next. */
class SteppingQueue extends Queue {
  readonly #send: (body: string) => Promise<void>;

  constructor(send: (body: string) => Promise<void>) {
    super({} as SQSClient, "");
    this.#send = send;
  }

  override async sendAll(messages: readonly OutgoingMessage[]): Promise<void> {
    for (const { body } of messages) await this.#send(body);
  }
}
