import { keyText, type LedgerStore } from "../aws/table.ts";
import { fromStoredText } from "../base/exact-json.ts";
import { partitionKey } from "../messages/item-address.ts";
import type { Partition } from "../sources/source.ts";
import { readGroupRow } from "./group-row.ts";
import { groupCount, groupKey, groupOf, lanesKey, PARTITIONS_PER_GROUP, partitionListKey } from "./keys.ts";
import { openPartitions, readLanesRow } from "./lanes-row.ts";
import type { RunWithPartitions } from "./partition-production.ts";

/**
 * What happens to a partition.
 *
 * - `waiting`: no producer has taken it yet.
 * - `reading`: a producer reads it, or will continue to read it.
 * - `failed`: it could not be read. It is read again when the run is resumed.
 * - `read`: it was read to its end, and some of its items are pending.
 * - `settled`: it was read to its end, and each of its items has ended. A redrive does not change this.
 * - `left out`: the run was stopped, or reached its limit of items, before a producer took the partition.
 */
export type PartitionPhase = "waiting" | "reading" | "failed" | "read" | "settled" | "left out";

/** One partition of a run at one moment. */
export interface PartitionState {
  /** From 1, in the order of the list that the source returned. */
  readonly number: number;
  /** The name that the source gave to the partition. */
  readonly id: string;
  readonly phase: PartitionPhase;
  readonly pages: number;
  readonly items: number;
  /** Why the partition could not be read, or why its latest slice failed. */
  readonly problem: string | null;
}

/** The partitions of a run at one moment: how many there are in each phase, and some of them. */
export interface PartitionStates {
  /** `null`: the list of partitions is not complete yet. */
  readonly total: number | null;
  readonly phases: Readonly<Partial<Record<PartitionPhase, number>>>;
  /** How many partitions `rows` was taken from. */
  readonly matching: number;
  readonly rows: readonly PartitionState[];
}

/** Which partitions to return. */
export interface PartitionChoice {
  /** Only partitions in these phases. Default: all. */
  readonly phases?: readonly PartitionPhase[] | undefined;
  readonly offset: number;
  readonly limit: number;
}

/**
 * Reads the partitions of a run. It reads at most 100 rows of groups, the rows of the partitions that are being read, and for
 * each group of which it returns a partition the list of names. With the limit of 100 these are about five requests.
 */
export async function partitionStates(
  store: LedgerStore,
  run: RunWithPartitions,
  choice: PartitionChoice,
): Promise<PartitionStates> {
  // The lanes are read first, for the reason that `productionOfPartitions` gives.
  const lanes = readLanesRow((await store.get(lanesKey(run.id))) ?? {}, run);
  if (lanes.count === undefined) return { total: null, phases: {}, matching: 0, rows: [] };
  const total = lanes.count;
  const groups = Array.from({ length: groupCount(total) }, (_, group) => group);
  const groupRows = await store.getMany(groups.map((group) => groupKey(run.id, group)));
  const states = groups.map((group) => readGroupRow(groupRows.get(keyText(groupKey(run.id, group))) ?? {}, group));
  const settled = new Set(states.flatMap(({ complete }) => [...complete]));
  const ended = new Map(states.flatMap((group) => [...group.ended]));
  const open = new Set(openPartitions(lanes));
  const phaseOf = (number: number): PartitionPhase => {
    if (settled.has(number)) return "settled";
    if (ended.has(number)) return "read";
    if (lanes.failed.has(number)) return "failed";
    if (open.has(number)) return "reading";
    return lanes.stopped || number > (run.partitions ?? total) ? "left out" : "waiting";
  };
  const phases: Partial<Record<PartitionPhase, number>> = {};
  const matching: { readonly number: number; readonly phase: PartitionPhase }[] = [];
  for (let number = 1; number <= total; number++) {
    const phase = phaseOf(number);
    phases[phase] = (phases[phase] ?? 0) + 1;
    if (choice.phases === undefined || choice.phases.includes(phase)) matching.push({ number, phase });
  }
  const shown = matching.slice(choice.offset, choice.offset + choice.limit);
  const [names, rows] = await Promise.all([
    namesOf(
      store,
      run,
      lanes.plan,
      shown.map(({ number }) => number),
    ),
    store.getMany(
      shown
        .filter(({ number }) => open.has(number))
        .map(({ number }) => partitionKey({ run: run.id, partition: number })),
    ),
  ]);
  return {
    total,
    phases,
    matching: matching.length,
    rows: shown.map(({ number, phase }) => {
      const row = rows.get(keyText(partitionKey({ run: run.id, partition: number }))) ?? {};
      const { pages, items } = ended.get(number) ?? { pages: Number(row.pages ?? 0), items: Number(row.items ?? 0) };
      const isFailing = phase === "reading" && Number(row.failedSlices) > 0 && row.sliceError !== undefined;
      return {
        number,
        id: names.get(number) ?? String(number),
        phase,
        pages,
        items,
        problem: lanes.failed.get(number) ?? (isFailing ? String(row.sliceError) : null),
      };
    }),
  };
}

/** The names of partitions, as the source gave them. */
async function namesOf(
  store: LedgerStore,
  { id }: RunWithPartitions,
  plan: number,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const groups = [...new Set(numbers.map(groupOf))];
  const rows = await store.getMany(groups.map((group) => partitionListKey(id, plan, group)));
  return new Map(
    groups.flatMap((group): [number, string][] => {
      const row = rows.get(keyText(partitionListKey(id, plan, group)));
      const listed = fromStoredText(String(row?.partitions ?? "[]")) as readonly Partition[];
      return listed.map((partition, index) => [group * PARTITIONS_PER_GROUP + index + 1, partition.id]);
    }),
  );
}
