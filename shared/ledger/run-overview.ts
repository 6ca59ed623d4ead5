import { keyText, type LedgerStore } from "../aws/table.ts";
import { partitionKey } from "../messages/item-address.ts";
import { productionOfPartitions } from "./partition-production.ts";
import { type RunRecord, readProduction } from "./run-record.ts";

/**
 * The record of a run as displays show it. The row of a run with partitions says only at the end how far the source was read,
 * so this record sums up the partitions: their pages and items, the latest page, and the latest failure. The run waits for
 * its source if all its lanes wait. The record of any other run is returned as it is.
 *
 * It must not be used to write anything.
 */
export async function overviewOf(store: LedgerStore, run: RunRecord): Promise<RunRecord> {
  if (run.lanes === undefined || run.checkpoint.ended) return run;
  const { lanes, pages, produced, ended } = await productionOfPartitions(store, run);
  const numbers = lanes.reading.filter((partition) => partition > 0);
  const rows = await store.getMany(numbers.map((partition) => partitionKey({ run: run.id, partition })));
  const records = numbers.flatMap((number) => {
    const row = rows.get(keyText(partitionKey({ run: run.id, partition: number })));
    return row === undefined ? [] : [readProduction(row)];
  });
  const latest = <Value>(
    of: (record: ReturnType<typeof readProduction>) => Value | undefined,
    time: (value: Value) => number,
  ) =>
    records
      .map(of)
      .filter((value) => value !== undefined)
      .sort((a, b) => time(b) - time(a))[0];
  const waits = records.map(({ wait }) => wait).filter((wait) => wait !== undefined);
  const [failed] = records.toSorted((a, b) => b.failedSlices - a.failedSlices);
  const isDivided = lanes.count !== undefined;
  return {
    ...run,
    checkpoint: {
      ...run.checkpoint,
      count: records.reduce((sum, { checkpoint }) => sum + checkpoint.count, ended),
      pages,
      items: produced,
    },
    checkpointAt: latest(
      ({ checkpointAt }) => checkpointAt,
      (at) => at,
    ),
    fullAt: latest(
      ({ fullAt }) => fullAt,
      ({ at }) => at,
    ),
    ...(isDivided && {
      wait: waits.length === numbers.length ? waits.sort((a, b) => a.until - b.until)[0] : undefined,
      failedSlices: failed?.failedSlices ?? 0,
      sliceError: failed?.sliceError,
      partitionsRead: ended,
    }),
  };
}
