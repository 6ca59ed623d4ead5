import { setImmediate } from "node:timers/promises";
import { canonical } from "./canonical.ts";
import { type Knowledge, partOf } from "./knowledge.ts";
import type { Ending, Operation, Program } from "./operation.ts";

/**
 * Where an actor stands: what it was started as, and what it has seen since. All else follows from these.
 */
export interface Standing {
  readonly number: number;
  readonly program: Program;
  /** Which result it saw last, of the operation at which place among those pending; absent at its start. */
  readonly before: { readonly standing: Standing; readonly place: number; readonly result: number } | undefined;
  /** What it waits for now, several where it asked for them at once. */
  readonly pending: readonly Operation[];
  /** What it has noted since the standing before. */
  readonly notes: readonly string[];
  readonly ending: Ending | undefined;
  /** Of the results of what is pending, the attributes that were ever looked at, here or in such a place. */
  readonly lookedAt: readonly Set<string>[];
  readonly followers: Followers;
}

/** Where an actor stood next. */
interface Followers {
  /** How much was known of what is looked at when these were found. */
  learned: number;
  /** By the place and the result, and by the place and what of the result is looked at. */
  readonly known: Map<string, Standing>;
  readonly executed: { readonly place: number; readonly result: number; readonly standing: Standing }[];
}

const ENDINGS: readonly Ending[] = ["delete", "again"];

/**
 * How actors behave. A coroutine cannot be copied, so an actor is not: it is run anew from its start and given the
 * results that it saw, once for each sequence of results, however many states of the world it is found in.
 *
 * Two results are one to an actor if they differ only in what it never looks at: see `Knowledge`.
 */
export class Behaviours {
  readonly #knowledge: Knowledge;
  readonly #row: (number: number) => object | undefined;
  readonly #starts = new Map<Program, Standing>();
  readonly #executions = new Map<Standing, Execution>();
  #standings: number = ENDINGS.length;

  /** @param row What an operation's result says, by its number. */
  constructor(row: (number: number) => object | undefined, knowledge: Knowledge) {
    this.#row = row;
    this.#knowledge = knowledge;
  }

  start(program: Program): Standing | Promise<Standing> {
    return this.#starts.get(program) ?? this.#start(program);
  }

  async #start(program: Program): Promise<Standing> {
    const standing = await this.#settle(new Execution(program), program, undefined);
    this.#starts.set(program, standing);
    return standing;
  }

  /** Where an actor stands next, at once where it was there before. */
  next(standing: Standing, place: number, result: number): Standing | Promise<Standing> {
    const { followers } = standing;
    if (followers.learned !== this.#knowledge.learned) {
      followers.learned = this.#knowledge.learned;
      followers.known.clear();
      for (const each of followers.executed)
        followers.known.set(this.#alike(standing, each.place, each.result), each.standing);
    }
    return followers.known.get(`${place}/${result}`) ?? this.#next(standing, place, result);
  }

  async #next(standing: Standing, place: number, result: number): Promise<Standing> {
    const { known, executed } = standing.followers;
    const alike = this.#alike(standing, place, result);
    const { learned } = this.#knowledge;
    let next = known.get(alike);
    if (next === undefined) {
      next = await this.#execute(standing, place, result);
      executed.push({ place, result, standing: next });
    }
    // What was looked at meanwhile tells more results apart.
    if (learned === this.#knowledge.learned) known.set(alike, next).set(`${place}/${result}`, next);
    return next;
  }

  /** The same for results that differ in nothing which is looked at. */
  #alike({ lookedAt }: Standing, place: number, result: number): string {
    const row = this.#row(result) as Record<string, unknown> | undefined;
    return `${place} ${canonical(row && partOf(row, lookedAt[place]))}`;
  }

  async #execute(standing: Standing, place: number, result: number): Promise<Standing> {
    const execution = await this.#executionAt(standing);
    this.#executions.delete(standing);
    execution.takeNotes();
    execution.resolve(place, this.#watched(standing, place, result));
    return await this.#settle(execution, standing.program, { standing, place, result });
  }

  async #executionAt(standing: Standing): Promise<Execution> {
    const live = this.#executions.get(standing);
    if (live !== undefined) return live;
    const results: NonNullable<Standing["before"]>[] = [];
    for (let at = standing; at.before !== undefined; at = at.before.standing) results.unshift(at.before);
    const execution = new Execution(standing.program);
    for (const { standing: at, place, result } of results) {
      await quiet();
      execution.resolve(place, this.#watched(at, place, result));
    }
    await quiet();
    return execution;
  }

  #watched({ lookedAt }: Standing, place: number, result: number): object | undefined {
    const row = this.#row(result);
    const looked = lookedAt[place];
    return row && looked && this.#knowledge.watched(row, looked);
  }

  async #settle(execution: Execution, program: Program, before: Standing["before"]): Promise<Standing> {
    await quiet();
    const { ending, pending } = execution;
    if (ending === undefined && pending.length === 0) throw new Error("an actor waits for nothing");
    const path = pathOf(program, before);
    const standing: Standing = {
      // One that has ended is like any other that ended so.
      number: ending === undefined ? ++this.#standings : ENDINGS.indexOf(ending) + 1,
      program,
      before,
      pending: pending.map(({ operation }) => operation),
      notes: execution.takeNotes(),
      ending,
      lookedAt: pending.map(({ operation }) => this.#knowledge.lookedAt(`${path} > ${kindOf(operation)}`)),
      followers: { learned: this.#knowledge.learned, known: new Map(), executed: [] },
    };
    if (ending === undefined) this.#executions.set(standing, execution);
    return standing;
  }
}

/** Resolves when all promises were followed as far as they go, and what waits for the event loop's next turn has had it. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await setImmediate();
}

/** What an actor has done so far, whichever item it was about. */
const pathOf = ({ kind }: Program, before: Standing["before"]): string => {
  const done: string[] = [];
  for (let at = before; at !== undefined; at = at.standing.before) {
    const operation = at.standing.pending[at.place];
    if (operation !== undefined) done.unshift(kindOf(operation));
  }
  return [kind, ...done].join(" > ");
};

function kindOf(operation: Operation): string {
  return "key" in operation ? `${operation.type} ${operation.key.sk.split("#")[0]}` : operation.type;
}

/** One run of a program. */
class Execution {
  readonly pending: { readonly operation: Operation; readonly resolve: (value: unknown) => void }[] = [];
  #notes: string[] = [];
  ending: Ending | undefined;

  constructor(program: Program) {
    const perform = (operation: Operation) =>
      new Promise<unknown>((resolve) => {
        this.pending.push({ operation, resolve });
      });
    const isBusy = () => this.pending.length > 0;
    program.run({ perform, isBusy, note: (fact) => this.#notes.push(fact) }).then(
      (ending) => {
        this.ending = ending;
      },
      // What it throws says that its message must come again.
      () => {
        this.ending = "again";
      },
    );
  }

  resolve(place: number, value: unknown): void {
    const [operation] = this.pending.splice(place, 1);
    if (operation === undefined) throw new Error("an actor did not ask the same again");
    operation.resolve(value);
  }

  takeNotes(): readonly string[] {
    const notes = this.#notes;
    this.#notes = [];
    return notes;
  }
}
