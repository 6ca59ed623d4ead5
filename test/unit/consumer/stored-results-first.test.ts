import { expect, test } from "vitest";
import { Recorder } from "../../../shared/consumer/outcomes/recorder.ts";
import { defineWorkflow } from "../../../shared/index.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { CONTROL, ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const MOST_WAITING = 4;

/** A recorder, a function that records a success of a page, and the pages whose successes are in the ledger. */
async function recording(keepsResults: boolean) {
  const world = await ConsumerWorld.of([]);
  const queue = world.sqs.queue(CONTROL);
  const store = new MemoryObjectStore();
  const recorder = new Recorder({
    workflow: defineWorkflow(workflowOptions({ results: keepsResults })),
    ...{ ledger: world.ledger, runs: world.runs, logger: world.logger, metrics: world.metrics },
    ...{ queue, controlQueue: queue, deadLetterQueue: queue },
    ...(keepsResults && { resultStore: store }),
    mostWaiting: () => MOST_WAITING,
    longestWait: () => 3_600_000,
    now: () => 0,
    random: () => 0.5,
  });
  const recorded: Promise<unknown>[] = [];
  const success = (page: number, index: number, isKept = keepsResults) => {
    const header = { workflow: "test", run: RUN, partition: 0, page, epoch: 1, resent: false, results: isKept };
    const message = world.raw(envelopeBody(header, index, "1"));
    recorded.push(
      recorder.record({
        tag: "attempted",
        item: { message, envelope: parseEnvelope(message.body) },
        state: { tag: "pending", failures: [], final: undefined, receives: new Map() },
        attempt: { tag: "succeeded", ...(isKept && { result: "1" }), startedAt: 0, endedAt: 0 },
      }),
    );
  };
  const pages = async () => {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    return world.store.updates.flatMap(({ pk, sk }) => (sk === "page" ? [Number(pk.split("#").at(-1))] : []));
  };
  const end = async () => {
    recorder.setPace("now");
    await Promise.allSettled(recorded);
  };
  return { world, store, success, pages, end };
}

test("If too many successes wait, those whose results are stored already are recorded before larger groups", async () => {
  const { store, success, pages, end } = await recording(true);
  for (const page of [0, 1, 2, 3]) success(page, 0);
  // The object also has the results of the two pages that go on waiting.
  expect(await pages()).toEqual([0, 1]);
  expect(store.keys()).toHaveLength(1);
  for (const index of [0, 1]) success(4, index);
  expect(await pages()).toEqual([0, 1, 2, 3]);
  expect(store.keys()).toHaveLength(1);
  await end();
  expect(store.keys()).toHaveLength(2);
});

test("Successes without a result are recorded at once like those whose results are stored", async () => {
  const { store, success, pages, end } = await recording(true);
  success(0, 0, false);
  for (const index of [0, 1, 2]) success(1, index);
  expect(await pages()).toEqual([0]);
  expect(store.keys()).toEqual([]);
  await end();
});

test("Without results, the largest group is recorded first", async () => {
  const { success, pages, end } = await recording(false);
  success(0, 0);
  for (const index of [0, 1, 2]) success(1, index);
  expect(await pages()).toEqual([1]);
  await end();
});
