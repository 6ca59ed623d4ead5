import { type Condition, type Key, keyText, type LedgerStore, type Row, type Update } from "../aws/table.ts";
import { batchesOf } from "../base/batches.ts";
import { runKey, runListKey } from "./keys.ts";
import { isActive, type RunRecord, type RunStatus, readRunRow } from "./run-record.ts";

/** The key of the row that names the active runs. */
export const ACTIVE_KEY: Key = { pk: "active", sk: "active" };

/** The most members of the row. DynamoDB bills each update by the size of the whole row. */
const MOST_MEMBERS = 1_000;

/** Each member is one condition and one removal in an expression, which DynamoDB limits to 4 KB and 300 operators.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
const REMOVED_PER_WRITE = 50;
const ADDED_PER_WRITE = 50;

const PREFIX = "run ";
const attributeOf = (id: string): string => `${PREFIX}${id}`;

/** The members: each run's id, with the number of the continuation (`hop`) at which the run became a member. */
type Members = ReadonlyMap<string, number>;

const membersOf = (row: Row): Members =>
  new Map(
    Object.entries(row).flatMap(([name, hop]): [string, number][] =>
      name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), Number(hop)]] : [],
    ),
  );

/** The rows of all runs in the ledger, newest first, in groups. */
export type AllRuns = () => AsyncIterable<readonly Row[]>;

/**
 * The active runs of a workflow. One row names them in its attributes. With this row, the active runs are found without
 * reading the list of all runs, which can have many skipped runs. Each run's own row decides whether the run is active.
 *
 * - A run becomes a member after its row is written and before its first message is sent, and again after it is reopened. A
 *   run that must be alone becomes a member with one conditional write. The write fails if another run became a member
 *   after the row was read.
 * - A run that has ended may still be a member. Each reader of the row therefore reads the runs' own rows, too, and removes
 *   such members. A removal is conditional on the member's `hop`, so it does not remove a run that was reopened in between.
 * - If the row has the attribute `complete`, every active run is a member. The attribute is missing in a table that is
 *   older than this row, after the row has expired, and while more than `MOST_MEMBERS` runs are active. Then the list of
 *   all runs is read, and the row is filled from the list.
 */
export class ActiveRuns {
  readonly #store: LedgerStore;
  readonly #allRuns: AllRuns;

  constructor(store: LedgerStore, allRuns: AllRuns) {
    this.#store = store;
    this.#allRuns = allRuns;
  }

  /** Makes an active run a member, unless it is a member already. */
  async enter({ id, hop }: Pick<RunRecord, "id" | "hop">): Promise<void> {
    await this.#enter(id, hop, [{ absent: attributeOf(id) }]);
  }

  /**
   * Makes a reopened run a member, with the `hop` of its next continuation. A reader may be about to remove the run. With
   * the new `hop`, the condition of this removal fails.
   */
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
    // There are too many members. This write removes the run and the attribute `complete`, so that readers read the list
    // of all runs instead.
    await this.#store.update(ACTIVE_KEY, {
      set: { change: `${changeOf(id, hop)}!` },
      remove: [attributeOf(id), "complete"],
    });
  }

  /**
   * Makes a run a member if no other run is active. If several runs try this at the same time, one of them succeeds.
   *
   * @returns another active run, or `undefined` if the run has become a member or was a member before.
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

  /** All active runs, newest first. */
  async list(): Promise<readonly RunRecord[]> {
    return await this.#activeOf((await this.#store.get(ACTIVE_KEY)) ?? {});
  }

  async #activeOf(row: Row): Promise<readonly RunRecord[]> {
    const runs = await this.#verify(membersOf(row));
    return newestFirst(row.complete === true ? runs : await this.#fill(row, runs));
  }

  /** Reads the members' own rows, and removes the members that are not active. */
  async #verify(members: Members): Promise<readonly RunRecord[]> {
    const rows = await this.#store.getMany([...members.keys()].map(runKey));
    const active: RunRecord[] = [];
    const stale: [string, number][] = [];
    for (const [id, hop] of members) {
      const run = readIfActive(rows.get(keyText(runKey(id))));
      if (run === undefined) stale.push([attributeOf(id), hop]);
      else active.push(run);
    }
    for (const some of batchesOf(stale, REMOVED_PER_WRITE)) {
      // If one of these runs was entered again in between, nothing is removed. The next reader removes the others.
      await this.#tidy({
        remove: some.map(([attribute]) => attribute),
        when: some.map(([attribute, hop]) => ({ equals: [attribute, hop] })),
      });
    }
    return active;
  }

  /** Reads the list of all runs, and makes the active ones members. */
  async #fill(row: Row, members: readonly RunRecord[]): Promise<readonly RunRecord[]> {
    const active = new Map(members.map((run) => [run.id, run]));
    for await (const rows of this.#allRuns()) {
      for (const row of rows) {
        const run = readIfActive(row);
        // A run that must be alone becomes a member with `enterAlone`, or is skipped. Until then the run has not begun.
        if (run !== undefined && (!run.exclusive || run.hop > 0)) active.set(run.id, run);
      }
    }
    if (active.size > MOST_MEMBERS) return [...active.values()];
    const known = membersOf(row);
    const missing = [...active.values()].filter(({ id }) => !known.has(id));
    // Each of these updates fails if a run was entered in between. Such a run may have exceeded `MOST_MEMBERS`. It may also be
    // one of these runs, reopened, with a later `hop`.
    const updates: Update[] = [];
    let before = row;
    for (const some of batchesOf(missing, ADDED_PER_WRITE)) {
      // A start that has read the list before one of these runs was in it must not begin beside that run.
      const change = `${before.change ?? ""}+`;
      const set = { ...Object.fromEntries(some.map(({ id, hop }) => [attributeOf(id), hop])), change };
      updates.push({ set, when: [isUnchanged(before)] });
      before = set;
    }
    await this.#tidy(...updates, { set: { complete: true }, when: [isUnchanged(before)] });
    return [...active.values()];
  }

  /** Makes updates one after the other until one fails. The failure is ignored, because a reader may lack write access. */
  async #tidy(...updates: readonly Update[]): Promise<void> {
    try {
      for (const update of updates) {
        if ((await this.#store.update(ACTIVE_KEY, update)) === undefined) return;
      }
    } catch {
      // The next reader makes the updates.
    }
  }
}

/**
 * The value of the attribute `change` after a run has become a member by itself. Each write that adds a member changes this
 * attribute, so a reader can tell that the row has a further member.
 */
const changeOf = (id: string, hop: number): string => `${id} ${hop}`;

const isUnchanged = ({ change }: Row): Condition =>
  change === undefined ? { absent: "change" } : { equals: ["change", String(change)] };

function readIfActive(row: Row | undefined): RunRecord | undefined {
  // A run that has ended is not read: it may be of a newer version, whose rows this code cannot read.
  return row !== undefined && isActive({ status: row.status as RunStatus }) ? readRunRow(row) : undefined;
}

/** Runs in the order of the list of all runs. */
export const newestFirst = (runs: Iterable<RunRecord>): readonly RunRecord[] =>
  [...runs].sort((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1));

const placeOf = ({ id, requestedAt }: RunRecord): string => runListKey(id, requestedAt).sk;
