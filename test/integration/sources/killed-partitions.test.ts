import { afterEach, beforeEach, expect, test } from "vitest";
import { itemId } from "../../../shared/messages/item-address.ts";
import { type Source, s3Objects } from "../../../shared/sources/index.ts";
import { s3LinesWith } from "../../../shared/sources/s3-lines.ts";
import { FakeS3 } from "../../helpers/fake-s3.ts";
import { LanesWorld } from "../../helpers/lanes-world.ts";
import { itemsOf, readContext } from "../../unit/sources/reading.ts";

let s3: FakeS3;
beforeEach(() => {
  s3 = new FakeS3();
});
afterEach(() => s3.restore());

const PARTITIONS = 8;
/** The gate tries some of the operations. With `SLUICE_SEEDS`, the producer is killed at each of them. */
const STEP = process.env.SLUICE_SEEDS === undefined ? 11 : 1;
const LANES = 3;

/**
 * Runs a source whose producer dies before one of its operations: a read or write of the ledger, or messages. Another producer
 * receives the control message again. Returns whether a producer came that far.
 */
async function diesAt(point: number, source: Source, expected: readonly unknown[]): Promise<boolean> {
  const world = new LanesWorld({ source, producers: LANES });
  await world.start();
  let operations = 0;
  let producer = new AbortController();
  const step = () => {
    operations++;
    if (operations === point) producer.abort(new Error("the producer was killed"));
    // A killed producer sends nothing more, and repeats nothing.
    producer.signal.throwIfAborted();
  };
  world.store.before = step;
  world.sqs.before = step;
  let deliveries = 0;
  for (; deliveries < 300; deliveries++) {
    world.now += 60_000;
    const { length } = world.pending;
    producer = new AbortController();
    const { signal } = producer;
    const delivered = await world
      .deliver(() => true, { sliceEnd: 0, signal, lost: signal })
      .catch((thrown) => {
        if (!signal.aborted) throw thrown;
        return "killed" as const;
      });
    if (delivered === undefined) break;
    // FIFO queues deliver in the order of a group only: any other group may be next.
    if (delivered !== "killed" && length > 1) world.pending.push(...world.pending.splice(0, 1));
  }
  world.store.before = () => {};
  world.sqs.before = () => {};
  expect(deliveries).toBeLessThan(300);
  // A page that was sent twice has the same messages again.
  const items = new Map(
    world.messages.map((message) => [itemId({ ...message, partition: message.partition ?? 0 }), message.item]),
  );
  expect([...items.values()].map((item) => JSON.stringify(item)).toSorted()).toEqual(
    expected.map((item) => JSON.stringify(item)).toSorted(),
  );
  await world.succeed();
  const run = await world.run();
  expect(run).toMatchObject({ status: "completed", checkpoint: { ended: true, items: expected.length } });
  expect(await world.runs.counts(run)).toMatchObject({
    produced: expected.length,
    succeeded: expected.length,
    pending: 0,
  });
  return operations >= point;
}

async function diesAnywhere(source: Source, expected: readonly unknown[]): Promise<number> {
  for (let point = 1; ; point += STEP) {
    if (!(await diesAt(point, source, expected))) return point - STEP;
  }
}

test("a producer of s3Objects with 8 partitions can be killed at any operation: each key is an item once", async () => {
  s3.mostKeys = 1;
  const keys = Array.from({ length: 24 }, (_, index) => `large/${String(index).padStart(2, "0")}`);
  for (const key of [...keys, "a", "z/1", "z/2"]) s3.put(key);
  const source = s3Objects({ bucket: "uploads", partitions: PARTITIONS, pageSize: 2 });
  expect(await source.partitions?.(readContext())).toHaveLength(PARTITIONS);
  const expected = await itemsOf(source);
  expect(expected).toHaveLength(27);
  expect(await diesAnywhere(source, expected)).toBeGreaterThan(100);
});

test("a producer of s3Lines with 8 partitions can be killed at any operation: each line is an item once", async () => {
  s3.put("in/a", Array.from({ length: 40 }, (_, index) => `${index}\n`).join(""));
  // A line that is longer than a partition.
  s3.put("in/b", `"${"x".repeat(60)}"\n1001\n`);
  for (const key of ["c", "d", "e"]) s3.put(`in/${key}`, `"${key}"\n`);
  const source = s3LinesWith(
    { bucket: "uploads", prefix: "in/", format: "jsonl", pageSize: 4 },
    { now: () => 0, leastBytes: 30 },
  );
  expect(await source.partitions?.(readContext())).toHaveLength(PARTITIONS);
  expect(await diesAnywhere(source, await itemsOf(source))).toBeGreaterThan(100);
});
