import { setImmediate } from "node:timers/promises";
import type { LedgerStore } from "../../shared/aws/table.ts";
import type { MemoryStore } from "./memory-store.ts";

/** A process that works on the rows of a ledger, one operation at a time. After it dies, it starts again, as after a redelivery. */
export interface OrderedActor {
  readonly name: string;
  /** How often it may die, after any of its operations. */
  readonly deaths: number;
  readonly act: (store: LedgerStore) => Promise<unknown>;
}

export interface OrderedWorld {
  readonly store: MemoryStore;
  readonly actors: readonly OrderedActor[];
  /** Called after each operation. */
  readonly check?: () => Promise<void>;
  /** Called when all have ended. */
  readonly checkEnd: () => Promise<void>;
}

interface Waiting {
  readonly perform: () => Promise<void>;
}

/** The state of an actor: the operations that it waits for, and whether it has ended. */
class Work {
  readonly actor: OrderedActor;
  readonly #store: MemoryStore;
  waiting: Waiting[] = [];
  deaths: number;
  ended = false;
  failure: unknown;
  #start = 0;

  constructor(actor: OrderedActor, store: MemoryStore) {
    this.actor = actor;
    this.#store = store;
    this.deaths = actor.deaths;
    this.begin();
  }

  begin(): void {
    const start = ++this.#start;
    this.waiting = [];
    // An operation of an earlier start never returns.
    const step = <Result>(operate: () => Promise<Result>): Promise<Result> =>
      new Promise((resolve, reject) => {
        if (start !== this.#start) return;
        const perform = async () => {
          this.waiting = this.waiting.filter((each) => each !== waiting);
          await operate().then(resolve, reject);
        };
        const waiting: Waiting = { perform };
        this.waiting.push(waiting);
      });
    const store: LedgerStore = {
      get: (key) => step(() => this.#store.get(key)),
      getMany: (keys) => step(() => this.#store.getMany(keys)),
      update: (key, update) => step(() => this.#store.update(key, update)),
      newest: (pk, limit, before) => step(() => this.#store.newest(pk, limit, before)),
    };
    this.actor.act(store).then(
      () => {
        if (start === this.#start) this.ended = true;
      },
      (error) => {
        if (start === this.#start) this.failure = error;
      },
    );
  }
}

/**
 * Performs the operations of a world's actors in one order.
 *
 * @param choose Chooses one of so many ways to continue.
 * @returns the steps in a readable form.
 */
export async function inOneOrder(world: OrderedWorld, choose: (ways: number) => number): Promise<readonly string[]> {
  const works = world.actors.map((actor) => new Work(actor, world.store));
  const path: string[] = [];
  try {
    for (;;) {
      await setImmediate();
      for (const { failure } of works) if (failure !== undefined) throw failure;
      const ways = works.flatMap((work) =>
        work.ended
          ? []
          : work.waiting.flatMap((waiting) => [
              { work, waiting, dies: false },
              ...(work.deaths > 0 ? [{ work, waiting, dies: true }] : []),
            ]),
      );
      if (ways.length === 0) break;
      const way = ways[choose(ways.length)];
      if (way === undefined) throw new Error("the chosen way does not exist");
      const { work, waiting, dies } = way;
      path.push(`${work.actor.name}${dies ? ", and dies" : ""}`);
      await waiting.perform();
      await world.check?.();
      if (!dies) continue;
      work.deaths--;
      work.begin();
    }
    if (works.some(({ ended }) => !ended)) throw new Error("an actor waits for an operation that never comes");
    await world.checkEnd();
    return path;
  } catch (error) {
    throw new Error(`after ${path.join(" > ")}`, { cause: error });
  }
}

/** Performs the operations in every order. Returns the number of orders. */
export async function inEveryOrder(make: () => Promise<OrderedWorld>): Promise<number> {
  let orders = 0;
  for (let choices: number[] | undefined = []; choices !== undefined; orders++) {
    const taken: { way: number; ways: number }[] = [];
    const planned: readonly number[] = choices;
    await inOneOrder(await make(), (ways) => {
      const way = planned[taken.length] ?? 0;
      taken.push({ way, ways });
      return way;
    });
    while (taken.length > 0 && (taken.at(-1)?.way ?? 0) + 1 === taken.at(-1)?.ways) taken.pop();
    const last = taken.at(-1);
    choices = last === undefined ? undefined : [...taken.slice(0, -1).map(({ way }) => way), last.way + 1];
  }
  return orders;
}
