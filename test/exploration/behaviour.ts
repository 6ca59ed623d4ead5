import { setImmediate } from "node:timers/promises";
import { canonical } from "./canonical.ts";
import { type Knowledge, partOf } from "./knowledge.ts";
import { MOST } from "./numbers.ts";
import type { Ending, Operation, Program } from "./operation.ts";

/** How far an actor has come: its program, and the results that it has seen since its start. All else follows from these. */
export interface Standing {
  readonly number: number;
  readonly program: Program;
  /** The latest result that it saw, and the place of that operation among the pending ones. Absent at its start. */
  readonly before: { readonly standing: Standing; readonly place: number; readonly result: number } | undefined;
  /** The operations that it waits for now. There are several if it requested them at once. */
  readonly pending: readonly Operation[];
  /** What it has noted since the standing before. */
  readonly notes: readonly string[];
  readonly ending: Ending | undefined;
  /** For each pending operation, the attributes of its result that this actor, or one that came equally far, ever looked at. */
  readonly lookedAt: readonly Set<string>[];
  readonly followers: Followers;
}

/** How the actor went on from a standing. */
interface Followers {
  /** The state of the knowledge when `known` was filled. */
  learned: number;
  /** By place and result, and by place and the attributes of the result that are looked at. */
  readonly known: Map<string, Standing>;
  readonly executed: { readonly place: number; readonly result: number; readonly standing: Standing }[];
}

const ENDINGS: readonly Ending[] = ["delete", "again"];

/**
 * How actors behave. An actor is an async function, which cannot be copied. To continue it in another way, its program
 * runs again from the start and gets the same results as before. This happens once for each sequence of results, however
 * many states of the world contain the actor.
 *
 * Two results are equal for an actor if they differ only in attributes that it never looks at: see `Knowledge`.
 */
export class Behaviours {
  readonly #knowledge: Knowledge;
  readonly #row: (number: number) => object | undefined;
  readonly #starts = new Map<Program, Standing>();
  readonly #executions = new Map<Standing, Execution>();
  #standings: number = ENDINGS.length;

  /** @param row Returns the row that an operation returned, by its number. */
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

  /** The standing after a result. It is no promise if an actor was there before. */
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
    // If the actor looked at more attributes, more results are different.
    if (learned === this.#knowledge.learned) known.set(alike, next).set(`${place}/${result}`, next);
    return next;
  }

  /** The same text for results that are equal for the actor. */
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
    if (this.#standings >= MOST) throw new Error(`the actors of this scope have more than ${MOST} standings`);
    const path = pathOf(program, before);
    const standing: Standing = {
      // All actors that ended in the same way are equal.
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

/** Resolves when no promise can resolve any more, and everything that waited for the event loop's next turn has run. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await setImmediate();
}

/** What an actor has done so far, without the items that it worked on. */
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
      // If it throws, its message comes again.
      () => {
        this.ending = "again";
      },
    );
  }

  resolve(place: number, value: unknown): void {
    const [operation] = this.pending.splice(place, 1);
    if (operation === undefined) throw new Error("an actor did not repeat its operations");
    operation.resolve(value);
  }

  takeNotes(): readonly string[] {
    const notes = this.#notes;
    this.#notes = [];
    return notes;
  }
}
