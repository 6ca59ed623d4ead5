import { type Condition, type Key, keyText, type LedgerStore, type Row, type Update } from "../aws/table.ts";
import { runKey, runListKey } from "./rows.ts";
import { isActive, type RunRecord, type RunStatus, readRunRow } from "./run-record.ts";

/** The row that points to the workflow's active runs. */
export const ACTIVE_KEY: Key = { pk: "active", sk: "active" };

/** Members of the row at most: DynamoDB bills each update by the size of the whole row. */
const MOST_MEMBERS = 1_000;

/** Each member is one condition and one removal in an expression, which DynamoDB limits to 4 KB and 300 operators.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const REMOVED_PER_WRITE = 50;
const ADDED_PER_WRITE = 50;

const PREFIX = "run ";
const attributeOf = (id: string): string => `${PREFIX}${id}`;

/** A member: the run's id, and the hop with which it became one. */
type Members = ReadonlyMap<string, number>;

const membersOf = (row: Row): Members =>
  new Map(
    Object.entries(row).flatMap(([name, hop]): [string, number][] =>
      name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), Number(hop)]] : [],
    ),
  );

/** The rows of all runs that the ledger lists, newest first, in groups. */
export type AllRuns = () => AsyncIterable<readonly Row[]>;

/**
 * The active runs of a workflow: one row whose attributes are their ids. The run's own row is the truth; this row is how
 * active runs are found without reading the whole list of runs, which skipped runs fill.
 *
 * - A run becomes a member after its row is written and before it works, and again after it is reopened. A start that must
 *   be alone becomes a member by one conditional write, which fails if any other run became one since the row was read.
 * - A run that has ended may still be a member: who reads the row looks at the runs' own rows, and removes such members. A
 *   removal is conditional on the member's hop, so it does not remove a run that was reopened in between.
 * - With `complete`, every active run is a member. A table from before this row, an expired row, and one with more than
 *   `MOST_MEMBERS` active runs lack it: then the list of all runs is read, and the row is filled from it.
 */
export class ActiveRuns {
  readonly #store: LedgerStore;
  readonly #allRuns: AllRuns;

  constructor(store: LedgerStore, allRuns: AllRuns) {
    this.#store = store;
    this.#allRuns = allRuns;
  }

  /** Makes an active run a member, unless it is one. */
  async enter({ id, hop }: Pick<RunRecord, "id" | "hop">): Promise<void> {
    await this.#enter(id, hop, [{ absent: attributeOf(id) }]);
  }

  /** Makes a reopened run a member, by the hop of its next continuation: it may be one that is being removed. */
  async enterAgain({ id, hop }: Pick<RunRecord, "id" | "hop">): Promise<void> {
    await this.#enter(id, hop + 1, []);
  }

  async #enter(id: string, hop: number, when: readonly Condition[]): Promise<void> {
    const row = await this.#store.update(ACTIVE_KEY, {
      set: { [attributeOf(id)]: hop, change: changeOf(id, hop) },
      when,
    });
    if (row === undefined || membersOf(row).size <= MOST_MEMBERS) return;
    const active = await this.#verify(membersOf(row));
    if (active.length <= MOST_MEMBERS) return;
    // Not a member, and the row says that it does not hold all: its reader reads the list of runs instead.
    await this.#store.update(ACTIVE_KEY, {
      set: { change: `${changeOf(id, hop)} is too many` },
      remove: [attributeOf(id), "complete"],
    });
  }

  /**
   * Makes a run a member if no other run is active. Of several that call it at the same time, one becomes a member.
   *
   * @returns the active run that is in the way; `undefined` where the run is a member now, or was before.
   */
  async enterAlone({ id, hop }: RunRecord): Promise<RunRecord | undefined> {
    for (;;) {
      const row = (await this.#store.get(ACTIVE_KEY)) ?? {};
      if (membersOf(row).has(id)) return undefined;
      const [other] = (await this.#activeOf(row)).filter((run) => run.id !== id);
      if (other !== undefined) return other;
      const entered = await this.#store.update(ACTIVE_KEY, {
        set: { [attributeOf(id)]: hop, change: changeOf(id, hop) },
        when: [isUnchanged(row)],
      });
      if (entered !== undefined) return undefined;
    }
  }

  /** Removes a run that has ended. */
  async leave(id: string): Promise<void> {
    await this.#store.update(ACTIVE_KEY, { remove: [attributeOf(id)] });
  }

  /** The active runs, newest first, whatever their number. */
  async list(): Promise<readonly RunRecord[]> {
    return await this.#activeOf((await this.#store.get(ACTIVE_KEY)) ?? {});
  }

  async #activeOf(row: Row): Promise<readonly RunRecord[]> {
    const runs = await this.#verify(membersOf(row));
    return newestFirst(row.complete === true ? runs : await this.#fill(row, runs));
  }

  /** Reads the runs of members, and removes the members that are not active. */
  async #verify(members: Members): Promise<readonly RunRecord[]> {
    const rows = await this.#store.getMany([...members.keys()].map(runKey));
    const active: RunRecord[] = [];
    const stale: [string, number][] = [];
    for (const [id, hop] of members) {
      const run = readIfActive(rows.get(keyText(runKey(id))));
      if (run === undefined) stale.push([attributeOf(id), hop]);
      else active.push(run);
    }
    for (let start = 0; start < stale.length; start += REMOVED_PER_WRITE) {
      const some = stale.slice(start, start + REMOVED_PER_WRITE);
      // If one of them was entered again in between, the next reader removes the others.
      await this.#tidy({
        remove: some.map(([attribute]) => attribute),
        when: some.map(([attribute, hop]) => ({ equals: [attribute, hop] })),
      });
    }
    return active;
  }

  /** Reads the list of all runs, and makes those of them members that are active. */
  async #fill(row: Row, members: readonly RunRecord[]): Promise<readonly RunRecord[]> {
    const active = new Map(members.map((run) => [run.id, run]));
    for await (const rows of this.#allRuns()) {
      for (const row of rows) {
        const run = readIfActive(row);
        // A start that must be alone enters itself, or gives way: until then its run has not begun.
        if (run !== undefined && (!run.exclusive || run.hop > 0)) active.set(run.id, run);
      }
    }
    if (active.size > MOST_MEMBERS) return [...active.values()];
    const missing = [...active.values()].filter(({ id }) => !membersOf(row).has(id));
    const added = Array.from({ length: Math.ceil(missing.length / ADDED_PER_WRITE) }, (_, group) =>
      missing.slice(group * ADDED_PER_WRITE, (group + 1) * ADDED_PER_WRITE),
    );
    await this.#tidy(
      ...added.map((some) => ({ set: Object.fromEntries(some.map(({ id, hop }) => [attributeOf(id), hop])) })),
      // Not if a run was entered in between: it may have been one too many.
      { set: { complete: true }, when: [isUnchanged(row)] },
    );
    return [...active.values()];
  }

  /** Makes updates one after the other, up to one that fails: who may only read the table finds the same runs. */
  async #tidy(...updates: readonly Update[]): Promise<void> {
    try {
      for (const update of updates) await this.#store.update(ACTIVE_KEY, update);
    } catch {
      // The next reader makes them.
    }
  }
}

/** Two rows that are read with the same change have the same members, but for those that have ended. */
const changeOf = (id: string, hop: number): string => `${id} ${hop}`;

const isUnchanged = ({ change }: Row): Condition =>
  change === undefined ? { absent: "change" } : { equals: ["change", String(change)] };

function readIfActive(row: Row | undefined): RunRecord | undefined {
  // One that has ended is no concern, even of a newer version, whose rows cannot be read.
  return row !== undefined && isActive({ status: row.status as RunStatus }) ? readRunRow(row) : undefined;
}

/** As the list of runs has them. */
export const newestFirst = (runs: Iterable<RunRecord>): readonly RunRecord[] =>
  [...runs].sort((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1));

const placeOf = ({ id, requestedAt }: RunRecord): string => runListKey(id, requestedAt).sk;
