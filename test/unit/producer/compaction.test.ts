import { beforeEach, expect, test } from "vitest";
import { items, type ResultRecord, type RunSummary, readResults } from "../../../shared/index.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import { type CompactMessage, compactEntry, parseControlMessage } from "../../../shared/messages/control.ts";
import { ResultWriter } from "../../../shared/results/result-writer.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { CONTROL_DEAD_LETTERS, ProducerWorld, RUN } from "../../helpers/producer-world.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";

let objects: MemoryObjectStore;
let world: ProducerWorld;
/** What `onComplete` reads. */
let read: ResultRecord[];

beforeEach(async () => {
  objects = new MemoryObjectStore();
  read = [];
  const onComplete = async (summary: RunSummary) => {
    for await (const row of readResults(summary)) read.push(row);
  };
  const ids = Array.from({ length: 100 }, (_, id) => `${id}`.padStart(3, "0"));
  world = new ProducerWorld(
    { source: items([10, 11]), results: true, onComplete },
    { resultStore: objects, newId: () => ids.shift() ?? "last" },
  );
  world.announces = true;
  await world.startWithPage();
});

/** Does what a consumer does with an item that succeeds. */
async function succeed(index: number, redriveGeneration = 0) {
  const writer = new ResultWriter({ store: objects, logger: recordingLogger(), newId: () => `c${index}` });
  const page = { run: RUN, partition: 0, page: 0 };
  const pending = writer.add(page, { epoch: 1, index, generation: redriveGeneration, result: String(index) });
  writer.store([pending], []);
  await writer.whenStored([pending]);
  const item = { index, failures: 0, redriveGeneration };
  await world.ledger.outcomes.recordSuccesses({ ...page, epoch: 1, items: [item] });
}

/** The `compact` messages that were sent, oldest first. */
const compactions = (): CompactMessage[] =>
  world.sqs.control.map(({ body }) => parseControlMessage(body)).filter((message) => message.type === "compact");

const compact = (message = compactions().at(-1), receiveCount = 1, sentAt = world.now - 60_000) => {
  if (message === undefined) throw new Error("no compaction was asked for");
  return world.handle({ ...compactEntry(message), sentAt }, receiveCount);
};

test("the messages of a run with results say so", () => {
  expect(world.messages.map(({ results }) => results)).toEqual([true, true]);
});

test("onComplete reads the results before they are compacted", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  expect(read).toEqual([
    { id: "run-1/0/0", result: 0 },
    { id: "run-1/0/1", result: 1 },
  ]);
  expect((await world.run()).results?.manifest).toBeUndefined();
});

test("the end of a run asks for one compaction, which writes the manifest", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  await world.complete();
  expect(compactions()).toEqual([{ sluice: 2, type: "compact", workflow: "test", run: RUN, round: 1, slice: 0 }]);
  expect(await compact()).toEqual({ tag: "done" });
  expect(objects.lines(`${RUN}/jsonl/`)).toEqual([
    { id: "run-1/0/0", result: 0 },
    { id: "run-1/0/1", result: 1 },
  ]);
  expect((await world.run()).results).toMatchObject({ manifest: 1, compactionsAsked: 1, compactionsDone: 1 });
  expect(compactions()).toHaveLength(1);

  // Both messages are delivered once more.
  const calls = objects.calls.length;
  await compact();
  await world.complete();
  expect(compactions()).toHaveLength(1);
  expect(objects.calls).toHaveLength(calls);
});

test("a success after a redrive asks for the next manifest, which waits for the others of the redrive", async () => {
  const page = { run: RUN, partition: 0, page: 0, epoch: 1 };
  const item = { ...page, index: 1, redriveGeneration: 0 };
  await world.ledger.outcomes.claimDeath(item);
  await world.ledger.outcomes.recordDeath(item, "exhausted", 0);
  await succeed(0);
  await world.complete();
  await compact();
  await world.ledger.outcomes.recordRedrives({ ...page, items: [{ index: 1, redriveGeneration: 1 }] });
  await succeed(1, 1);
  await succeed(1, 1);
  expect(compactions()).toHaveLength(2);
  // All redriven items have settled, so the shortest wait is enough.
  expect(await compact(undefined, 1, world.now - 10_000)).toEqual({ tag: "wait", milliseconds: 20_000 });
  const [, message] = compactions();
  const over = { sliceEnd: Number.NEGATIVE_INFINITY };
  expect(
    await world.handle({ ...compactEntry(message as CompactMessage), sentAt: world.now - 30_000 }, 2, over),
  ).toEqual({ tag: "done" });
  // The next slice does not wait again.
  expect(compactions().at(-1)).toMatchObject({ round: 2, slice: 1 });
  expect(await compact(undefined, 1, world.now)).toEqual({ tag: "done" });
  expect((await world.run()).results).toMatchObject({ manifest: 2, compactionsAsked: 2, compactionsDone: 2 });
  expect(objects.lines(`${RUN}/jsonl/`)).toHaveLength(2);
});

/**
 * Redrives many items, which succeed one after the other, and delivers the control messages when they are due.
 *
 * @returns the seconds from the first success to each manifest.
 */
async function manifestsOfRedrive(count: number, secondsBetween: number): Promise<readonly number[]> {
  const ids = Array.from({ length: 1_000 }, (_, id) => `${id}`.padStart(4, "0"));
  world = new ProducerWorld(
    { source: items(Array.from({ length: count }, (_, item) => item)), results: true },
    { resultStore: objects, newId: () => ids.shift() ?? "last" },
  );
  world.announces = true;
  await world.startWithPage();
  const page = { run: RUN, partition: 0, page: 0, epoch: 1 };
  for (let index = 0; index < count; index++) {
    await world.ledger.outcomes.claimDeath({ ...page, index, redriveGeneration: 0 });
    await world.ledger.outcomes.recordDeath({ ...page, index, redriveGeneration: 0 }, "exhausted", 0);
  }
  await world.complete();
  await compact();
  const redriven = Array.from({ length: count }, (_, index) => ({ index, redriveGeneration: 1 }));
  await world.ledger.outcomes.recordRedrives({ ...page, items: redriven });

  const began = world.now;
  const manifests: number[] = [];
  const due = new Map<number, { readonly sentAt: number; readonly at: number; readonly receives: number }>();
  for (let second = 0; second < 2 * count * secondsBetween + 1_000; second++) {
    world.now = began + second * 1_000;
    if (second % secondsBetween === 0 && second / secondsBetween < count) await succeed(second / secondsBetween, 1);
    for (const [number, message] of compactions().entries()) {
      const { sentAt, at, receives } = due.get(number) ?? { sentAt: world.now, at: world.now, receives: 0 };
      if (number === 0 || at > world.now) continue;
      const before = (await world.run()).results?.manifest;
      const verdict = await compact(message, receives + 1, sentAt);
      const next = verdict.tag === "wait" ? world.now + verdict.milliseconds : Number.POSITIVE_INFINITY;
      due.set(number, { sentAt, at: next, receives: receives + 1 });
      if ((await world.run()).results?.manifest !== before) manifests.push(second);
    }
  }
  expect(objects.lines(`${RUN}/jsonl/`)).toHaveLength(count);
  return manifests;
}

test("a redrive of many items gives one manifest, soon after the last of them has settled", async () => {
  // The last item succeeds after 273 s.
  expect(await manifestsOfRedrive(40, 7)).toEqual([273]);
});

test("a redrive that takes long gives a manifest every 15 minutes", async () => {
  // The last item succeeds after 2,340 s.
  expect(await manifestsOfRedrive(40, 60)).toEqual([900, 1_860, 2_373]);
});

test("a success that falls between the last look and the end of a compaction is not forgotten", async () => {
  const page = { run: RUN, partition: 0, page: 0, epoch: 1 };
  const item = { ...page, index: 1, redriveGeneration: 0 };
  await world.ledger.outcomes.claimDeath(item);
  await world.ledger.outcomes.recordDeath(item, "exhausted", 0);
  await succeed(0);
  await world.complete();
  await world.ledger.outcomes.recordRedrives({ ...page, items: [{ index: 1, redriveGeneration: 1 }] });
  let hasSucceeded = false;
  world.store.before = async (operation, _key, update) => {
    // The item succeeds after the compaction has read the page rows, and before it notes its end.
    if (operation !== "update" || update?.set?.compactionsDone === undefined || hasSucceeded) return;
    hasSucceeded = true;
    await succeed(1, 1);
  };
  await compact();
  expect(hasSucceeded).toBe(true);
  expect(compactions().map(({ round }) => round)).toEqual([1, 2]);
});

test("a compaction whose time is over goes on with the next message", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  const [message] = compactions();
  if (message === undefined) throw new Error("no compaction was asked for");
  const over = { sliceEnd: Number.NEGATIVE_INFINITY };
  expect(await world.handle(compactEntry(message), 1, over)).toEqual({ tag: "done" });
  const next = compactions().at(-1);
  expect(next).toMatchObject({ round: 1, slice: 1, progress: expect.stringMatching(/\.progress$/) });
  const lost = { lost: AbortSignal.abort() };
  expect(await world.handle(compactEntry(message), 1, lost)).toEqual({ tag: "left" });
  expect(compactions()).toEqual([message, next]);
  await compact(next);
  expect((await world.run()).results).toMatchObject({ manifest: 1 });
  expect(objects.keys(`${RUN}/blocks/`)).toEqual([`${RUN}/blocks/00000/0000000-00001.json`]);
});

test("a store that refuses delays a compaction, and after many tries the message is kept for a person", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  objects.onCall = () => "refused";
  expect(await compact(undefined, 1)).toEqual({ tag: "wait", milliseconds: expect.any(Number) });
  expect(world.metrics.counts).toMatchObject({ slicesFailed: 1 });
  expect(await compact(undefined, 30)).toEqual({ tag: "done" });
  const dead = world.sqs.control.find(({ queue }) => queue === CONTROL_DEAD_LETTERS);
  expect(parseControlMessage(dead?.body ?? "")).toMatchObject({ type: "compact", run: RUN, round: 1 });
  objects.onCall = () => undefined;
  await compact();
  expect((await world.run()).results).toMatchObject({ manifest: 1 });
});

test("the looks of a redrive that takes long are no tries of its compaction", async () => {
  const page = { run: RUN, partition: 0, page: 0, epoch: 1 };
  const item = { ...page, index: 1, redriveGeneration: 0 };
  await world.ledger.outcomes.claimDeath(item);
  await world.ledger.outcomes.recordDeath(item, "exhausted", 0);
  await succeed(0);
  await world.complete();
  await compact();
  await world.ledger.outcomes.recordRedrives({ ...page, items: [{ index: 1, redriveGeneration: 1 }] });
  await succeed(1, 1);
  objects.onCall = () => "refused";
  expect(await compact(undefined, 49)).toEqual({ tag: "wait", milliseconds: expect.any(Number) });
  expect(await compact(undefined, 50)).toEqual({ tag: "done" });
  expect(world.sqs.control.some(({ queue }) => queue === CONTROL_DEAD_LETTERS)).toBe(true);
});

test("a workflow without results asks for nothing and reads nothing more at its end", async () => {
  const plain = new ProducerWorld({ source: items([10]), onComplete: () => {} });
  plain.announces = true;
  await plain.startWithPage();
  await plain.ledger.outcomes.recordSuccesses({
    ...{ run: RUN, partition: 0, page: 0, epoch: 1 },
    items: [{ index: 0, failures: 0, redriveGeneration: 0 }],
  });
  const reads = plain.store.reads;
  await plain.complete();
  expect(plain.store.reads - reads).toBe(1);
  expect(plain.sqs.control.map(({ body }) => parseControlMessage(body).type)).toEqual(["complete"]);
  expect((await plain.run()).results).toBeUndefined();
});

test("a continuation asks for a compaction if more blocks are complete than are compacted", async () => {
  const source = items(Array.from({ length: 900 }, (_, item) => item));
  world = new ProducerWorld({ source, results: true }, { resultStore: objects });
  world.announces = true;
  await world.start();
  const onePage = { sliceEnd: Number.NEGATIVE_INFINITY };
  await world.continue(1, 1, onePage);
  expect(compactions()).toEqual([]);
  await world.store.update(runKey(RUN), { add: { fullBlocks: [0] } });
  await world.continue(2, 1, onePage);
  expect(compactions()).toHaveLength(1);
  await world.store.update(runKey(RUN), { set: { compactedBlocks: 1, compactionsDone: 1 } });
  await world.continue(3, 1, onePage);
  expect(compactions()).toHaveLength(1);
});

test("a compaction of a run that is unknown, or keeps no results, does nothing", async () => {
  const plain = new ProducerWorld({ source: items([10]) }, { resultStore: objects });
  const message = compactEntry({ workflow: "test", run: RUN, round: 1, slice: 0 });
  expect(await plain.handle(message)).toEqual({ tag: "done" });
  expect(await plain.complete()).toEqual({ tag: "done" });
  await plain.start();
  expect(await plain.handle(message)).toEqual({ tag: "done" });
  expect(plain.metrics.counts).toEqual({});
});

test("a compaction by code whose definition keeps no results fails, and says what to deploy", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  const [message] = compactions();
  const other = new ProducerWorld({ source: items([10, 11]) }, { runs: world.runs, ledger: world.ledger });
  expect(await other.handle(compactEntry(message as CompactMessage))).toMatchObject({ tag: "wait" });
  expect(await other.handle(compactEntry(message as CompactMessage), 30)).toEqual({ tag: "done" });
  const dead = other.sqs.control.find(({ queue }) => queue === CONTROL_DEAD_LETTERS);
  expect(dead?.attributes.SluiceReason?.StringValue).toBe(
    `the results could not be compacted: run ${RUN} keeps results, and this code was deployed from a definition without ` +
      "results: deploy one with results",
  );
});

test.each(["signal", "shutdown", "lost"] as const)("a compaction ends after its %s has fired", async (which) => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  const [message] = compactions();
  const verdict = await world.handle(compactEntry(message as CompactMessage), 1, { [which]: AbortSignal.abort() });
  expect(verdict).toEqual({ tag: which === "lost" ? "left" : "done" });
  expect(compactions()).toHaveLength(which === "lost" ? 1 : 2);
  expect((await world.run()).results?.manifest).toBeUndefined();
});

test("a compaction of a run whose row expires meanwhile ends without a failure", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  let reads = 0;
  world.store.before = (operation, key) => {
    if (operation !== "get" || key?.sk !== "run") return;
    // The last read of the run's row looks whether the results are outdated.
    if (world.store.updates.at(-1)?.sk === "run" && objects.keys(`${RUN}/manifest`).length > 0) reads++;
    if (reads > 0) world.store.delete(runKey(RUN));
  };
  expect(await compact()).toEqual({ tag: "done" });
  expect(reads).toBeGreaterThan(0);
  expect(world.metrics.counts.slicesFailed).toBeUndefined();
});

test("a compaction that fails for a long reason keeps its message with the beginning of the reason", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  objects.onCall = () => {
    throw new Error("x".repeat(5_000));
  };
  expect(await compact(undefined, 30)).toEqual({ tag: "done" });
  const dead = world.sqs.control.find(({ queue }) => queue === CONTROL_DEAD_LETTERS);
  expect(dead?.attributes.SluiceReason?.StringValue).toMatch(/^the results could not be compacted: x+$/);
  expect(dead?.attributes.SluiceReason?.StringValue).toHaveLength(1_000);
});

test("a compaction names its objects with random hexadecimal digits", async () => {
  world = new ProducerWorld({ source: items([10, 11]), results: true }, { resultStore: objects });
  world.announces = true;
  await world.startWithPage();
  await succeed(1);
  await succeed(0);
  await world.complete();
  await compact();
  expect(objects.keys(`${RUN}/jsonl/`)).toEqual([expect.stringMatching(/-[0-9a-f]{16}\.jsonl$/)]);
});

test("the first compaction begins at once", async () => {
  await succeed(1);
  await succeed(0);
  await world.complete();
  expect(await compact(undefined, 1, world.now)).toEqual({ tag: "done" });
  expect((await world.run()).results).toMatchObject({ manifest: 1 });
});
