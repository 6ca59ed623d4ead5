import type { ControlEntry } from "../../shared/aws/queue.ts";
import { keyText, type Row, type Update } from "../../shared/aws/table.ts";
import { ACTIVE_KEY } from "../../shared/ledger/active-runs.ts";
import { runKey } from "../../shared/ledger/keys.ts";
import { parseEnvelope } from "../../shared/messages/envelope.ts";
import { updated } from "../helpers/memory-store.ts";
import { Actors, START } from "./actors.ts";
import { Behaviours, type Standing } from "./behaviour.ts";
import { canonical, Texts } from "./canonical.ts";
import { checkActive, checkEnd, checkEnding, checkRun } from "./checks.ts";
import { EVERYTHING, type Knowledge } from "./knowledge.ts";
import { Numbers } from "./numbers.ts";
import { type Ending, isRead, type Operation, type Program } from "./operation.ts";
import { RUN, type Scope } from "./scope.ts";

/**
 * A state of the world, as numbers: the ledger's rows, the messages, who works at what, and what was told. Two states of
 * the same numbers are one.
 */
export type State = Uint16Array;

/** What may happen in a state. */
export interface Step {
  readonly after: State;
  /** It needs no accident: no crash, no delivery too many, no deletion that fails. */
  readonly regular: boolean;
  /** For people. */
  readonly what: () => string;
}

// How many of each a scope may have; a larger one says so.
const ROWS = 14;
const ITEMS = 6;
const CONTROLS = 6;

// Where a message is. One that is worked at is pending until it is deleted: its consumer may die, or be too slow.
const UNSENT = 0;
const PENDING = 1;
const GONE = 2;

/** A slot's numbers: what it works at (0 is nothing), where its actor stands, and where it goes on after a call. */
const SLOT = 3;

const AT = {
  rows: 0,
  items: ROWS,
  controls: ROWS + ITEMS,
  person: ROWS + ITEMS + CONTROLS,
  facts: ROWS + ITEMS + CONTROLS + 1,
  /** Deliveries of control messages that may still be too many. */
  spares: ROWS + ITEMS + CONTROLS + 2,
  ends: ROWS + ITEMS + CONTROLS + 3,
  slots: ROWS + ITEMS + CONTROLS + 4,
} as const;

/** What is worked at: a message, by its place in the state. */
interface Job {
  readonly number: number;
  readonly at: number;
  readonly name: string;
  readonly program: Program;
}

/** An operation with what is known of it: the row or the message that it is about, and what it made of which. */
interface Prepared {
  readonly at: number;
  readonly key: string;
  readonly outcomes: Map<number, { readonly row: number; readonly result: number }>;
  /** Of which rows it is settled, by what was known. */
  readonly settled: Map<number, { readonly learned: number; readonly settled: boolean }>;
  /** What an update asks of the row, and writes. */
  readonly attributes: readonly string[];
}

/** The world of a scope: which states there are, and what leads from one to the next. */
export class World {
  readonly #scope: Scope;
  readonly #rows = new Numbers<Row>(canonical);
  readonly #facts = new Numbers<readonly string[]>((facts) => facts.join("\n"));
  readonly #behaviours: Behaviours;
  readonly #actors: Actors;
  readonly #keys = new Map<string, number>();
  /** An item's messages: the first, and those of a producer that died and sent its page again, are one here. */
  readonly #items = new Map<string, { readonly at: number; readonly body: string }>();
  readonly #controls = new Map<string, { readonly at: number; readonly body: string; readonly group: string }>();
  readonly #jobs: Job[] = [];
  readonly #jobsByName = new Map<string, Job>();
  readonly #standings: Standing[] = [];
  readonly #prepared = new Map<Operation, Prepared>();
  readonly #runRow: number;
  readonly #activeRow: number;
  readonly #knowledge: Knowledge;
  readonly #texts = new Texts();
  // Consumers first, as they are alike.
  readonly #producerSlots: number;
  readonly #completionSlot: number;
  readonly #personSlot: number;

  constructor(scope: Scope, knowledge: Knowledge) {
    this.#scope = scope;
    this.#knowledge = knowledge;
    this.#actors = new Actors(scope, knowledge);
    this.#behaviours = new Behaviours((number) => this.#rows.get(number), knowledge);
    const slot = (number: number) => AT.slots + number * SLOT;
    this.#producerSlots = slot(scope.consumers);
    this.#completionSlot = slot(scope.consumers + scope.producers);
    this.#personSlot = slot(scope.consumers + scope.producers + 1);
    this.#runRow = this.#key(keyText(runKey(RUN)));
    this.#activeRow = this.#key(keyText(ACTIVE_KEY));
  }

  initial(): State {
    const state = new Uint16Array(this.#personSlot + SLOT);
    state[AT.spares] = this.#scope.spares;
    this.#sendControl(state, START);
    return state;
  }

  // What may happen ---------------------------------------------------------------------------------------------------

  async steps(state: State): Promise<readonly Step[]> {
    for (;;) {
      try {
        return this.#steps(state);
      } catch (error) {
        if (!(error instanceof Unknown)) throw error;
        await error.standing;
      }
    }
  }

  #steps(state: State): readonly Step[] {
    const steps: Step[] = [];
    for (let slot = AT.slots; slot < state.length; slot += SLOT) {
      if (at(state, slot) === 0) continue;
      const pending = this.#standing(at(state, slot + 1)).pending.length;
      for (let place = 0; place < pending; place++) this.#goOn(steps, state, slot, place, true);
    }
    this.#deliverItems(steps, state);
    this.#deliverControls(steps, state);
    if (this.#scope.cancel && at(state, AT.person) !== GONE && at(state, this.#personSlot) === 0) {
      const started = at(state, AT.person) === PENDING;
      const begun = state.slice();
      begun[AT.person] = PENDING;
      // It must be there to be cancelled.
      if (at(state, this.#runRow) > 0)
        this.#begin(
          steps,
          begun,
          this.#personSlot,
          this.#job("a person", AT.person, () => this.#actors.person()),
          started,
        );
    }
    return steps;
  }

  /**
   * A message may be delivered as long as it is pending, also to two consumers at once; as if new, or as one seen before, as
   * which it is bound to come in the end. (One that is delivered after its deletion does nothing that it could not have
   * done before it.)
   */
  #deliverItems(steps: Step[], state: State): void {
    const slot = this.#idle(state, AT.slots, this.#producerSlots);
    if (slot === undefined) return;
    for (const [id, { at: place, body }] of this.#items) {
      const where = at(state, place);
      if (where !== PENDING) continue;
      const fresh = this.#job(`item ${id}`, place, () => this.#actors.consumer(body, false));
      const again = this.#job(`item ${id} again`, place, () => this.#actors.consumer(body, true));
      this.#begin(steps, state, slot, fresh, false);
      this.#begin(steps, state, slot, again, true);
    }
  }

  #deliverControls(steps: Step[], state: State): void {
    for (const [id, { at: place, body, group }] of this.#controls) {
      const where = at(state, place);
      const completes = id.startsWith("complete");
      const [from, to] = completes
        ? [this.#completionSlot, this.#personSlot]
        : [this.#producerSlots, this.#completionSlot];
      const slot = this.#idle(state, from, to);
      if (slot === undefined || where === UNSENT || (completes && !this.#scope.completion)) continue;
      const job = this.#job(id, place, () => this.#actors.producer(body, group));
      // Once more than it should: after its end, or while a producer works at it or at another of its group. All but the
      // completion are of one.
      const regular = where === PENDING && !this.#isAtWork(state, from, to);
      const begun = regular ? state : this.#spend(state);
      if (begun !== undefined) this.#begin(steps, begun, slot, job, regular);
      // One whose message another may have only sees it there: where there are two, and a delivery is left to spend.
      if (!regular || completes || this.#scope.producers < 2 || at(state, AT.spares) === 0) continue;
      const loser = this.#job(`${id}, which it loses`, place, () => this.#actors.producer(body, group, true));
      this.#begin(steps, state, slot, loser, false);
    }
  }

  #idle(state: State, from: number, to: number): number | undefined {
    for (let slot = from; slot < to; slot += SLOT) if (at(state, slot) === 0) return slot;
    return undefined;
  }

  #isAtWork(state: State, from: number, to: number): boolean {
    for (let slot = from; slot < to; slot += SLOT) if (at(state, slot) !== 0) return true;
    return false;
  }

  #spend(state: State): State | undefined {
    if (at(state, AT.spares) === 0) return undefined;
    const spent = state.slice();
    spent[AT.spares] = at(state, AT.spares) - 1;
    return spent;
  }

  // What an actor does ------------------------------------------------------------------------------------------------

  /** An actor begins. To receive a message changes nothing for others, so it makes its first step at once. */
  #begin(steps: Step[], state: State, slot: number, job: Job, regular: boolean): void {
    const start = known(this.#behaviours.start(job.program));
    const begun = state.slice();
    begun[slot] = job.number;
    this.#stand(begun, slot, start);
    this.#hurry(begun);
    const standing = this.#standing(at(begun, slot + 1));
    if (standing.ending !== undefined)
      this.#end(steps, begun, slot, standing.ending, regular, () => `${job.name} begins`);
    for (let place = 0; place < standing.pending.length; place++) this.#goOn(steps, begun, slot, place, regular);
  }

  #goOn(steps: Step[], state: State, slot: number, place: number, regular: boolean): void {
    const operation = this.#standing(at(state, slot + 1)).pending[place];
    if (operation === undefined) return;
    const { name } = this.#jobOf(state, slot);
    const what = () => `${name} ${describe(operation)}`;
    const after = state.slice();
    this.#advance(after, slot, place, (performed) => {
      // Whether it dies before or after it has read makes no difference to anybody.
      if (!isRead(operation)) this.#die(steps, performed, slot, () => `${what()}, and dies`);
    });
    const { ending } = this.#standing(at(after, slot + 1));
    if (ending !== undefined) this.#end(steps, after, slot, ending, regular, what);
    else steps.push({ after: this.#sorted(this.#hurry(after)), regular, what });
  }

  /** Performs what an actor waits for, and lets it go on to what it waits for next. */
  #advance(state: State, slot: number, place: number, performed: (state: State) => void = () => {}): void {
    const standing = this.#standing(at(state, slot + 1));
    const operation = standing.pending[place];
    if (operation === undefined) throw new Error("an actor waits for nothing there");
    const result = this.#perform(state, operation);
    performed(state);
    this.#stand(state, slot, known(this.#behaviours.next(standing, place, result)));
  }

  /** Sets where an actor stands. One that calls a function goes on as that function, and thereafter where it would have. */
  #stand(state: State, slot: number, standing: Standing): void {
    for (let now = standing; ; ) {
      this.#standings[now.number] = now;
      state[slot + 1] = now.number;
      this.#tell(state, now.notes);
      const [call] = now.pending;
      if (now.ending !== undefined && at(state, slot + 2) !== 0) {
        // A function's end is its caller's business.
        now = this.#standing(at(state, slot + 2));
        state[slot + 2] = 0;
      } else if (call?.type === "call") {
        if (now.pending.length > 1) throw new Error("an actor calls a function beside something else");
        const afterwards = known(this.#behaviours.next(now, 0, 0));
        this.#standings[afterwards.number] = afterwards;
        // Nothing follows the call: then what follows its caller's end does.
        if (afterwards.ending === undefined || at(state, slot + 2) === 0) {
          if (at(state, slot + 2) !== 0) throw new Error("calls are nested deeper than a state has room for");
          state[slot + 2] = afterwards.number;
        }
        now = known(this.#behaviours.start(call.program()));
      } else return;
    }
  }

  /**
   * Lets actors read on at once what never changes any more: nobody can tell when they did. That it does not is assumed
   * at first; see `Knowledge`.
   */
  #hurry(state: State): State {
    for (let slot = AT.slots; slot < state.length; slot += SLOT) {
      for (;;) {
        const standing = this.#standings[at(state, slot + 1)];
        const place = standing?.pending.findIndex((_, place) => this.#isSettled(state, standing, place)) ?? -1;
        if (standing === undefined || place < 0) break;
        const ahead = state.slice();
        this.#advance(ahead, slot, place);
        // An end has effects of its own.
        if (this.#standing(at(ahead, slot + 1)).ending !== undefined) break;
        state.set(ahead);
      }
    }
    return state;
  }

  /** Whether what an operation looks at never changes any more, and it changes nothing itself. */
  #isSettled(state: State, standing: Standing, place: number): boolean {
    const operation = standing.pending[place];
    if (operation?.type !== "read" && operation?.type !== "update") return false;
    const prepared = this.#prepare(operation, operation.key);
    const number = at(state, prepared.at);
    const { learned } = this.#knowledge;
    const known = prepared.settled.get(number);
    if (known?.learned === learned) return known.settled;
    const settled = this.#neverChanges(prepared, standing.lookedAt[place] ?? new Set(), number, operation.type);
    prepared.settled.set(number, { learned, settled });
    return settled;
  }

  #neverChanges(prepared: Prepared, lookedAt: ReadonlySet<string>, number: number, type: Operation["type"]): boolean {
    if (type === "update" && prepared.outcomes.get(number)?.row !== number) return false;
    const row = this.#rows.get(number) ?? NO_ROW;
    // Whether there is a row at all is always seen.
    for (const attribute of ["pk", ...lookedAt, ...prepared.attributes]) {
      if (this.#changes(prepared.key, attribute, row)) return false;
    }
    return true;
  }

  #changes(key: string, attribute: string, row: Row): boolean {
    if (attribute === EVERYTHING) return true;
    return this.#knowledge.changes(`${key} ${attribute} ${this.#texts.text(row[attribute])}`);
  }

  /** Notes what an update has changed: it is not to be taken for settled. */
  #noteChanges(key: string, before: Row, after: Row): void {
    for (const attribute of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (this.#texts.text(before[attribute]) === this.#texts.text(after[attribute])) continue;
      this.#knowledge.noteChange(`${key} ${attribute} ${this.#texts.text(before[attribute])}`);
    }
  }

  #end(steps: Step[], state: State, slot: number, ending: Ending, regular: boolean, what: () => string): void {
    const { at: place } = this.#jobOf(state, slot);
    const after = state.slice();
    after.fill(0, slot, slot + SLOT);
    if (ending === "delete") after[place] = GONE;
    steps.push({ after: this.#sorted(after), regular, what: () => `${what()}, and ends: ${ending}` });
    // What was settled cannot always be deleted.
    if (ending === "delete" && at(state, place) === PENDING) this.#die(steps, state, slot, () => `${what()}, and dies`);
  }

  /** A consumer may die as often as it likes. A producer is given up after a few times, and a person gives up. */
  #die(steps: Step[], state: State, slot: number, what: () => string): void {
    const free = slot < this.#producerSlots;
    const after = free ? state.slice() : this.#spend(state);
    if (after === undefined) return;
    after.fill(0, slot, slot + SLOT);
    steps.push({ after: this.#sorted(after), regular: false, what });
  }

  /** Makes an operation take effect, and returns the number of its result. */
  #perform(state: State, operation: Operation): number {
    switch (operation.type) {
      case "read":
        return at(state, this.#prepare(operation, operation.key).at);
      case "update": {
        const { at: place, outcomes } = this.#prepare(operation, operation.key);
        const before = at(state, place);
        const known = outcomes.get(before);
        const outcome = known ?? this.#update(operation, before);
        if (known === undefined) outcomes.set(before, outcome);
        state[place] = outcome.row;
        if (outcome.result !== 0 && place === this.#runRow) {
          checkActive(this.#rows.get(outcome.row), this.#rows.get(at(state, this.#activeRow)));
          this.#checkEnds(state, operation);
        }
        return outcome.result;
      }
      case "message":
        this.#sendMessage(state, operation.body);
        return 0;
      case "control":
        this.#sendControl(state, operation);
        return 0;
      case "tell":
        this.#tell(state, [operation.fact]);
        return 0;
      case "call":
        return 0;
    }
  }

  #update({ key, update }: Extract<Operation, { type: "update" }>, before: number) {
    const row = updated(key, this.#rows.get(before), update);
    if (row === undefined) return { row: before, result: 0 };
    if (key.pk === runKey(RUN).pk && key.sk === runKey(RUN).sk) checkRun(this.#rows.get(before), row);
    const number = this.#rows.number(row);
    if (number !== before) this.#noteChanges(keyText(key), this.#rows.get(before) ?? NO_ROW, row);
    return { row: number, result: number };
  }

  #checkEnds(state: State, { update }: Extract<Operation, { type: "update" }>): void {
    if (update.set?.completedAt === undefined) return;
    state[AT.ends] = at(state, AT.ends) + 1;
    checkEnding(at(state, AT.ends), this.#rowsOf(state), this.#factsOf(state), this.#scope);
  }

  #sendMessage(state: State, body: string): void {
    const { page, index, epoch } = parseEnvelope(body);
    const id = `${page}/${index}/${epoch}`;
    const known = this.#items.get(id) ?? { at: roomFor(AT.items, this.#items, ITEMS), body };
    this.#items.set(id, known);
    state[known.at] = PENDING;
  }

  #sendControl(state: State, { body, group, deduplicationId }: ControlEntry): void {
    const known = this.#controls.get(deduplicationId) ?? {
      at: roomFor(AT.controls, this.#controls, CONTROLS),
      body,
      group,
    };
    this.#controls.set(deduplicationId, known);
    // The FIFO queue drops what it has had.
    if (at(state, known.at) === UNSENT) state[known.at] = PENDING;
  }

  #tell(state: State, facts: readonly string[]): void {
    if (facts.length === 0) return;
    const all = new Set(this.#factsOf(state));
    if (facts.every((fact) => all.has(fact))) return;
    for (const fact of facts) all.add(fact);
    state[AT.facts] = this.#facts.number([...all].sort());
  }

  // What must hold ----------------------------------------------------------------------------------------------------

  /** Whether nothing is left to do: whatever else may happen, need not. */
  isQuiet(state: State): boolean {
    for (let slot = AT.slots; slot < state.length; slot += SLOT) if (at(state, slot) !== 0) return false;
    for (let place = AT.items; place <= AT.person; place++) {
      if (at(state, place) === PENDING && (this.#scope.completion || place !== this.#completion())) return false;
    }
    return true;
  }

  #completion(): number | undefined {
    for (const [id, { at: place }] of this.#controls) if (id.startsWith("complete")) return place;
    return undefined;
  }

  /** @throws {AssertionError} Nothing is left to do, and the run is not as it must be. */
  checkQuiet(state: State): void {
    checkEnd({
      rows: this.#rowsOf(state),
      facts: this.#factsOf(state),
      ends: at(state, AT.ends),
      cancelled: at(state, AT.person) === GONE,
      announced: this.#completion() !== undefined && at(state, this.#completion() ?? 0) !== UNSENT,
      scope: this.#scope,
    });
  }

  #rowsOf(state: State): ReadonlyMap<string, Row> {
    return new Map(
      [...this.#keys].flatMap(([key, place]): [string, Row][] => {
        const row = this.#rows.get(at(state, place));
        return row === undefined ? [] : [[key, row]];
      }),
    );
  }

  #factsOf(state: State): readonly string[] {
    return this.#facts.get(at(state, AT.facts)) ?? [];
  }

  // Numbers -----------------------------------------------------------------------------------------------------------

  /** Consumers are alike, and so are producers: which of them does what makes no state of its own. */
  #sorted(state: State): State {
    sortSlots(state, AT.slots, this.#producerSlots);
    sortSlots(state, this.#producerSlots, this.#completionSlot);
    return state;
  }

  #prepare(operation: Operation, key: { readonly pk: string; readonly sk: string }): Prepared {
    const known = this.#prepared.get(operation);
    if (known !== undefined) return known;
    const attributes = operation.type === "update" ? attributesOf(operation.update) : [];
    const prepared = {
      at: this.#key(keyText(key)),
      key: keyText(key),
      outcomes: new Map(),
      settled: new Map(),
      attributes,
    };
    this.#prepared.set(operation, prepared);
    return prepared;
  }

  #key(text: string): number {
    const known = this.#keys.get(text) ?? roomFor(AT.rows, this.#keys, ROWS);
    this.#keys.set(text, known);
    return known;
  }

  #standing(number: number): Standing {
    const standing = this.#standings[number];
    if (standing === undefined) throw new Error(`there is no standing ${number}`);
    return standing;
  }

  #job(name: string, place: number, program: () => Program): Job {
    const known = this.#jobsByName.get(name);
    if (known !== undefined) return known;
    const job = { number: this.#jobs.length + 1, at: place, name, program: program() };
    this.#jobs.push(job);
    this.#jobsByName.set(name, job);
    return job;
  }

  #jobOf(state: State, slot: number): Job {
    const job = this.#jobs[at(state, slot) - 1];
    if (job === undefined) throw new Error("an idle slot works at nothing");
    return job;
  }
}

/** Where an actor stands is not known yet: it has to be run there, and then all that was begun is begun again. */
class Unknown extends Error {
  readonly standing: Promise<Standing>;

  constructor(standing: Promise<Standing>) {
    super("an actor was never there before");
    this.standing = standing;
  }
}

function known(standing: Standing | Promise<Standing>): Standing {
  if (standing instanceof Promise) throw new Unknown(standing);
  return standing;
}

const at = (state: State, index: number): number => state[index] ?? 0;

const NO_ROW: Row = {};

function attributesOf({ set = {}, add = {}, remove = [], when = [] }: Update): readonly string[] {
  const conditions = when.map((condition) => {
    const [name] = Object.values(condition) as [string | readonly [string, unknown]];
    return typeof name === "string" ? name : name[0];
  });
  return [...Object.keys(set), ...Object.keys(add), ...remove, ...conditions];
}

/** The place of one more. */
function roomFor(first: number, { size }: ReadonlyMap<string, unknown>, room: number): number {
  if (size === room) throw new Error(`the scope has more than the ${room} that a state has room for`);
  return first + size;
}

function sortSlots(state: State, from: number, to: number): void {
  for (let slot = from + SLOT; slot < to; slot += SLOT) {
    for (let place = slot; place > from && before(state, place, place - SLOT); place -= SLOT) {
      for (let number = 0; number < SLOT; number++) {
        const moved = at(state, place + number);
        state[place + number] = at(state, place - SLOT + number);
        state[place - SLOT + number] = moved;
      }
    }
  }
}

function before(state: State, slot: number, other: number): boolean {
  for (let number = 0; number < SLOT; number++) {
    const difference = at(state, slot + number) - at(state, other + number);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function describe(operation: Operation): string {
  switch (operation.type) {
    case "read":
      return `reads ${keyText(operation.key)}`;
    case "update":
      return `updates ${keyText(operation.key)} ${canonical(operation.update)}`;
    case "message":
      return `sends ${operation.body}`;
    case "control":
      return `sends ${operation.deduplicationId}`;
    case "tell":
      return `tells ${operation.fact}`;
    case "call":
      return `calls ${operation.name}`;
  }
}
