import FakeTimers from "@sinonjs/fake-timers";
import { ITEMS_PER_PAGE } from "../../shared/base/items-per-page.ts";
import { PageGroups } from "../../shared/consumer/outcomes/page-groups.ts";
import { longestWait, mostWaiting } from "../../shared/consumer/outcomes/recording-limits.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import type { Successes } from "../../shared/ledger/outcomes.ts";
import { compactRun, isOutdated } from "../../shared/results/compaction.ts";
import { type PendingResult, ResultWriter } from "../../shared/results/result-writer.ts";
import { MeteredBucket } from "../harness/metered-bucket.ts";
import { MeteredTable } from "../harness/metered-table.ts";
import { side } from "../harness/side.ts";
import { Random } from "../simulation/random.ts";

interface Input {
  readonly items: number;
  readonly order: "in order" | "at random";
  /** How long a task takes: half of it to one and a half of it. */
  readonly milliseconds: number;
}

const RUN = "20261128-081530-3fa9";
const ENVIRONMENTS = 5;
const SLOTS = 10;
/** The messages that are in the queue at a time: the default of `maxBacklog`. */
const BACKLOG = 10_000;
/** How many of the run's items end before the producer looks whether blocks are complete. */
const ITEMS_PER_LOOK = 50_000;
/** Makes a result of 200 bytes. */
const RESULT_BYTES = 200;
const ignore = () => {};
const LOGGER = { debug: ignore, info: ignore, warn: ignore, error: ignore, critical: ignore };

// What it costs to store the results of a run, in requests: the recording of successes, the ledger, the store in S3 and the
// compaction are the product's own. They run on tables and a bucket in memory, and on a virtual clock.
await side<Input>(async (input) => {
  const kept = await simulate(input, true);
  const dropped = await simulate(input, false);
  const { requests, objects } = kept.bucket;
  const rows = [...objects].filter(([key]) => key.includes("/jsonl/"));
  const bytes = rows.reduce((sum, [, body]) => sum + body.byteLength, 0);
  const dynamo = kept.table.dollars - dropped.table.dollars;
  return {
    dollars: kept.bucket.dollars + dynamo,
    s3Dollars: kept.bucket.dollars,
    dynamoDollars: dynamo,
    objectsPerThousand: (1_000 * kept.rawObjects) / input.items,
    updatesPerThousand: (1_000 * kept.table.updates) / input.items,
    updatesWithoutPerThousand: (1_000 * dropped.table.updates) / input.items,
    bytesPerRow: bytes / input.items,
    parts: rows.length,
    ...requests,
  };
});

type Success = Successes["items"][number] & { readonly result: PendingResult | undefined };

async function simulate({ items, order, milliseconds }: Input, keepsResults: boolean) {
  const realImmediate = globalThis.setImmediate;
  const clock = FakeTimers.install({
    now: Date.parse("2026-11-28T08:15:30.000Z"),
    toFake: ["setTimeout", "clearTimeout"],
  });
  const turn = () => new Promise<void>((resolve) => realImmediate(resolve));
  const now = () => clock.now;
  const table = new MeteredTable();
  const bucket = new MeteredBucket();
  const ledger = new Ledger(table, now, async () => {});
  const random = new Random(7);
  let ids = 0;
  // As long as an id of the product.
  const newId = () => `mihz4k2o-${String(ids++).padStart(16, "0")}`;
  await begin(ledger, items, keepsResults);

  const pick = pickerOf(order, items, random);
  const failures: unknown[] = [];
  let ended = 0;
  const record = Array.from({ length: ENVIRONMENTS }, () => {
    const { store } = bucket;
    const writer = keepsResults ? new ResultWriter({ store, logger: LOGGER, newId }) : undefined;
    const resultsOf = (groups: readonly { readonly items: readonly Success[] }[]) =>
      groups.flatMap((group) => group.items.flatMap(({ result }) => result ?? []));
    // As in `shared/consumer/outcomes/recorder.ts`.
    const groups = new PageGroups<Success>(
      (due, waiting) => {
        writer?.store(resultsOf(due), resultsOf(waiting));
        return due.map(async (group) => {
          await writer?.whenStored(resultsOf([group]));
          await ledger.outcomes.recordSuccesses(group);
        });
      },
      {
        now,
        longestWait: () => longestWait(milliseconds),
        mostWaiting: () => mostWaiting(SLOTS),
        ...(keepsResults && { isReady: ({ result }) => result?.stored !== undefined }),
      },
    );
    return { groups, writer };
  });
  const slot = ({ groups, writer }: (typeof record)[number]) => {
    const item = pick();
    if (item === undefined) return;
    setTimeout(() => {
      const page = { run: RUN, partition: 0, page: Math.floor(item / ITEMS_PER_PAGE) };
      const index = item % ITEMS_PER_PAGE;
      const head = `{"number":${item},"text":"`;
      const text = `${head.padEnd(RESULT_BYTES - 2, "x")}"}`;
      const result = writer?.add(page, { epoch: 1, index, generation: 0, result: text });
      const recorded = groups.record({ ...page, epoch: 1 }, { index, failures: 0, redriveGeneration: 0, result });
      recorded.catch((error) => failures.push(error));
      ended++;
      slot({ groups, writer });
    }, milliseconds * random.between(0.5, 1.5));
  };
  for (const environment of record) for (let each = 0; each < SLOTS; each++) slot(environment);
  let rawObjects = 0;
  const look = async () => {
    // The compactions write with this command, too.
    const before = bucket.requests.PutObjectCommand ?? 0;
    if (keepsResults) await compact(ledger, table, bucket, newId);
    rawObjects -= (bucket.requests.PutObjectCommand ?? 0) - before;
  };
  let next = ITEMS_PER_LOOK;
  while (clock.countTimers() > 0) {
    clock.next();
    await turn();
    if (ended < next) continue;
    next += ITEMS_PER_LOOK;
    await look();
  }
  for (const { groups } of record) groups.writeAll();
  for (let each = 0; each < 100; each++) await turn();
  await look();
  rawObjects += bucket.requests.PutObjectCommand ?? 0;
  clock.uninstall();
  if (failures.length > 0) throw failures[0];
  const run = await ledger.runs.get(RUN);
  const { succeeded } = await ledger.runs.counts(run);
  if (run.completedAt === undefined || succeeded !== items)
    throw new Error(`only ${succeeded} of ${items} items succeeded`);
  if (keepsResults && run.results?.manifest !== 1) throw new Error("the run has no manifest");
  return { table, bucket, rawObjects };
}

/** Writes what a producer writes before its messages are received. */
async function begin(ledger: Ledger, items: number, keepsResults: boolean): Promise<void> {
  const run = await ledger.runs.create({
    id: RUN,
    workflow: "measured",
    requestedAt: "2026-11-28T08:15:30.000Z",
    ...(keepsResults && { results: { format: "jsonl", include: [] } }),
  });
  const pages = Math.ceil(items / ITEMS_PER_PAGE);
  for (let page = 0; page < pages; page++) {
    const size = Math.min(ITEMS_PER_PAGE, items - page * ITEMS_PER_PAGE);
    await ledger.pages.open({ run: RUN, partition: 0, page }, { size, digest: "0123456789abcdef0123456789abcdef" });
  }
  await ledger.runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages, items, ended: true });
}

/** What the producer does with its `compact` messages: see `shared/producer/compaction-messages.ts`. */
async function compact(
  ledger: Ledger,
  table: MeteredTable,
  { store }: MeteredBucket,
  newId: () => string,
): Promise<void> {
  const { runs } = ledger;
  for (;;) {
    const run = await runs.get(RUN);
    if (run.results === undefined) return;
    if (!(await isOutdated({ ...run, results: run.results }, { store, ledgerStore: table }))) return;
    await runs.results.ask(run);
    const { results } = run;
    const options = { store, ledgerStore: table, runs, now: Date.now, newId, isOver: () => false };
    const end = await compactRun({ ...run, results }, undefined, options);
    if (end.tag === "time") throw new Error("the time was over");
    await runs.results.done(RUN, results.compactionsDone + 1, end.compactedBlocks);
  }
}

/** The items in the order of their delivery. SQS delivers the messages that are in the queue in any order. */
function pickerOf(order: Input["order"], items: number, random: Random): () => number | undefined {
  const queue: number[] = [];
  let sent = 0;
  if (order === "in order") return () => (sent < items ? sent++ : undefined);
  return () => {
    while (queue.length < BACKLOG && sent < items) queue.push(sent++);
    const at = random.below(queue.length);
    const item = queue[at];
    const last = queue.pop();
    if (last !== undefined && at < queue.length) queue[at] = last;
    return item;
  };
}
