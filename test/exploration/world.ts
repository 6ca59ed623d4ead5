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
import { checkFinalResults, checkResults } from "./result-checks.ts";
import { nameOf, RUN, type Scope } from "./scope.ts";

/**
 * A state of the world as numbers: the ledger's rows, the messages, the work of each actor, and what the outside world was
 * told. Two states with the same numbers are equal.
 */
export type State = Uint16Array;

/** One thing that may happen in a state. */
export interface Step {
  readonly after: State;
  /** Whether it happens without an accident: a crash, a surplus delivery or a deletion that fails. */
  readonly regular: boolean;
  /** Describes the step for people. */
  readonly what: () => string;
}

// The most rows, messages and control messages of a scope. A larger scope fails with an error.
const ROWS = 20;
const ITEMS = 6;
const CONTROLS = 10;

// Where a message is. A message in work is pending until it is deleted, because its consumer may die or be too slow.
const UNSENT = 0;
const PENDING = 1;
const GONE = 2;

/** The numbers of a slot: its job (0 if it is idle), its actor's standing, and the standing after a call returns. */
const SLOT = 3;

const AT = {
  rows: 0,
  items: ROWS,
  controls: ROWS + ITEMS,
  person: ROWS + ITEMS + CONTROLS,
  facts: ROWS + ITEMS + CONTROLS + 1,
  /** Accidents that may still happen to control messages: see `Scope.spares`. */
  spares: ROWS + ITEMS + CONTROLS + 2,
  ends: ROWS + ITEMS + CONTROLS + 3,
  slots: ROWS + ITEMS + CONTROLS + 4,
} as const;

/** The work of an actor: a message, by its place in the state. */
interface Job {
  readonly number: number;
  readonly at: number;
  readonly name: string;
  readonly program: Program;
}

/** An operation with what is known of it: its row or message, and its outcomes. */
interface Prepared {
  readonly at: number;
  readonly key: string;
  readonly outcomes: Map<number, { readonly row: number; readonly result: number }>;
  /** For each content of the row, whether the operation is settled: see `#isSettled`. */
  readonly settled: Map<number, { readonly learned: number; readonly settled: boolean }>;
  /** The attributes that an update's conditions read, and those that it writes. */
  readonly attributes: readonly string[];
}

/** The world of a scope: its states, and the steps between them. */
export class World {
  readonly #scope: Scope;
  readonly #rows = new Numbers<Row>(canonical);
  readonly #facts = new Numbers<readonly string[]>((facts) => facts.join("\n"));
  readonly #behaviours: Behaviours;
  readonly #actors: Actors;
  readonly #keys = new Map<string, number>();
  /** Messages by item. The messages of a page that was sent again after its producer died are one message here. */
  readonly #items = new Map<string, { readonly at: number; readonly body: string }>();
  readonly #controls = new Map<string, { readonly at: number; readonly body: string; readonly group: string }>();
  /** The message group of each control message, by the message's place in the state. */
  readonly #groups = new Map<number, string>();
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
      // Only an existing run can be cancelled.
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
   * A pending message may be delivered at any time, also to two consumers at once. It may come as a new message or as one
   * that was received before; in the end it comes as the latter. A delivery after its deletion can do nothing that a
   * delivery before it could not do.
   *
   * This includes every change of a visibility timeout, also one that SQS makes through the handle of a receive that is
   * over. A change that exposes a message which another consumer has is a delivery to two consumers at once. A change that
   * hides the message is a later delivery, because no time passes here.
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
      // A surplus delivery comes after the message was deleted, or while a producer works on a message of the same group.
      const regular = where === PENDING && !this.#isAtWork(state, from, to, group);
      const begun = regular ? state : this.#spend(state);
      if (begun !== undefined) this.#begin(steps, begun, slot, job, regular);
      // A producer can notice that another one has its message only if there are two, and an accident is left.
      if (!regular || completes || this.#scope.producers < 2 || at(state, AT.spares) === 0) continue;
      const loser = this.#job(`${id}, which it loses`, place, () => this.#actors.producer(body, group, true));
      this.#begin(steps, state, slot, loser, false);
    }
  }

  #idle(state: State, from: number, to: number): number | undefined {
    for (let slot = from; slot < to; slot += SLOT) if (at(state, slot) === 0) return slot;
    return undefined;
  }

  /** Whether an actor works on a control message of a group. */
  #isAtWork(state: State, from: number, to: number, group: string): boolean {
    for (let slot = from; slot < to; slot += SLOT) {
      if (at(state, slot) !== 0 && this.#groups.get(this.#jobOf(state, slot).at) === group) return true;
    }
    return false;
  }

  #spend(state: State): State | undefined {
    if (at(state, AT.spares) === 0) return undefined;
    const spent = state.slice();
    spent[AT.spares] = at(state, AT.spares) - 1;
    return spent;
  }

  // What an actor does ------------------------------------------------------------------------------------------------

  /** Starts an actor. Receiving a message changes nothing for others, so the actor takes its first step at once. */
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
      // No other actor can see whether it died before or after a read.
      if (!isRead(operation)) this.#die(steps, performed, slot, () => `${what()}, and dies`);
    });
    const { ending } = this.#standing(at(after, slot + 1));
    if (ending !== undefined) this.#end(steps, after, slot, ending, regular, what);
    else steps.push({ after: this.#sorted(this.#hurry(after)), regular, what });
  }

  /** Performs an operation that an actor waits for, and lets the actor go on to its next operation. */
  #advance(state: State, slot: number, place: number, performed: (state: State) => void = () => {}): void {
    const standing = this.#standing(at(state, slot + 1));
    const operation = standing.pending[place];
    if (operation === undefined) throw new Error("an actor waits for nothing there");
    const result = this.#perform(state, operation);
    performed(state);
    this.#stand(state, slot, known(this.#behaviours.next(standing, place, result)));
  }

  /** Sets an actor's standing. An actor that calls a function goes on as that function, and after its end as before. */
  #stand(state: State, slot: number, standing: Standing): void {
    for (let now = standing; ; ) {
      this.#standings[now.number] = now;
      state[slot + 1] = now.number;
      this.#tell(state, now.notes);
      const [call] = now.pending;
      if (now.ending !== undefined && at(state, slot + 2) !== 0) {
        // The end of a function continues its caller.
        now = this.#standing(at(state, slot + 2));
        state[slot + 2] = 0;
      } else if (call?.type === "call") {
        if (now.pending.length > 1) throw new Error("an actor calls a function beside something else");
        const afterwards = known(this.#behaviours.next(now, 0, 0));
        this.#standings[afterwards.number] = afterwards;
        // If nothing follows the call, only the caller's own return address stays.
        if (afterwards.ending === undefined || at(state, slot + 2) === 0) {
          if (at(state, slot + 2) !== 0) throw new Error("calls are nested deeper than a state has room for");
          state[slot + 2] = afterwards.number;
        }
        now = known(this.#behaviours.start(call.program()));
      } else return;
    }
  }

  /**
   * Lets actors perform reads at once whose result never changes again: no actor can tell when they happened. At first it
   * is an assumption that the result never changes: see `Knowledge`.
   */
  #hurry(state: State): State {
    for (let slot = AT.slots; slot < state.length; slot += SLOT) {
      for (;;) {
        const standing = this.#standings[at(state, slot + 1)];
        const place = standing?.pending.findIndex((_, place) => this.#isSettled(state, standing, place)) ?? -1;
        if (standing === undefined || place < 0) break;
        const ahead = state.slice();
        this.#advance(ahead, slot, place);
        // The end of an actor has effects of its own.
        if (this.#standing(at(ahead, slot + 1)).ending !== undefined) break;
        state.set(ahead);
      }
    }
    return state;
  }

  /** Whether what an operation looks at never changes again, and the operation changes nothing itself. */
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
    // An actor always sees whether the row exists.
    for (const attribute of ["pk", ...lookedAt, ...prepared.attributes]) {
      if (this.#changes(prepared.key, attribute, row)) return false;
    }
    return true;
  }

  #changes(key: string, attribute: string, row: Row): boolean {
    if (attribute === EVERYTHING) return true;
    return this.#knowledge.changes(`${key} ${attribute} ${this.#texts.text(row[attribute])}`);
  }

  /** Notes what an update has changed: from now on it counts as changing. */
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
    // The deletion of a message can fail although its work is done.
    if (ending === "delete" && at(state, place) === PENDING) this.#die(steps, state, slot, () => `${what()}, and dies`);
  }

  /** A consumer may die any number of times. The death of a producer or of the person is one of the scope's accidents. */
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
        if (this.#scope.results === true && outcome.row !== before) checkResults(this.#rowsOf(state), this.#scope);
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
    const envelope = parseEnvelope(body);
    const id = `${nameOf(envelope)}/${envelope.epoch}`;
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
    this.#groups.set(known.at, group);
    // A FIFO queue drops a message with a deduplication id that it has had.
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

  /** Whether nothing is left to do. Other steps may still happen, but none has to. */
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

  /** @throws {AssertionError} The run is not as it must be at its end. */
  checkQuiet(state: State): void {
    if (this.#scope.results === true) checkFinalResults(this.#rowsOf(state), this.#scope);
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

  /** Sorts the consumers and the producers: which of them does what must not make different states. */
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

/**
 * Thrown if a standing is not known yet. The program must run up to it first; then the steps are computed again. It is no
 * error, because it would need a stack trace each time.
 */
class Unknown {
  readonly standing: Promise<Standing>;

  constructor(standing: Promise<Standing>) {
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

/** The place in a state for one more thing. */
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
