import type { Context, SQSEvent } from "aws-lambda";
import { expect, test, vi } from "vitest";
import { CodeWatch } from "../../../shared/consumer/code-watch.ts";
import { RECORDING_SECONDS } from "../../../shared/definition/topology.ts";
import { Ledger } from "../../../shared/ledger/ledger.ts";
import { LimitRow } from "../../../shared/ledger/limit-row.ts";
import { envelopeBody } from "../../../shared/messages/envelope.ts";
import { FakeSqs } from "../../helpers/fake-sqs.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const RUN = "run-1";
const REMAINING_MILLISECONDS = 60_000;

vi.mock("../../../workflows/cities.ts", async () => {
  const { defineWorkflow } = await import("../../../shared/index.ts");
  const task = () => new Promise<void>(() => {});
  return { default: defineWorkflow(workflowOptions({ task, timeout: { minutes: 10 } })) };
});

const store = new MemoryStore();
const ledger = new Ledger(store);
const limitRow = new LimitRow(store);
const sqs = new FakeSqs();

vi.mock("../../../functions/function-services.ts", () => ({
  functionServices: async () => ({
    workflow: (await import("../../../workflows/cities.ts")).default,
    ledger,
    runs: ledger.runs,
    limitRow,
    queue: sqs.queue("https://sqs/queue"),
    deadLetterQueue: sqs.queue("https://sqs/dead-letters"),
    controlQueue: sqs.queue("https://sqs/control"),
    fallbacks: { take: () => 0 },
    random: () => 0.5,
  }),
}));

vi.mock("../../../shared/definition/function-environment.ts", () => ({
  fromVariables: () => ({ concurrency: 1, tasksPerEnvironment: 1, refillSeconds: 0, stack: "test" }),
}));

test("a task that never ends is aborted while the invocation still has the time to record its failure", async () => {
  const run = await ledger.runs.create({ id: RUN, workflow: "test", requestedAt: "2026-01-01T00:00:00.000Z" });
  await ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 1, digest: "d" });
  await ledger.runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: 1, ended: true });
  const body = envelopeBody({ workflow: "test", run: RUN, partition: 0, page: 0, epoch: 1, resent: false }, 0, "{}");
  const attributes = { ApproximateReceiveCount: "1", SentTimestamp: String(Date.now()) };
  const event = { Records: [{ messageId: "m", receiptHandle: "h", body, attributes }] } as unknown as SQSEvent;
  const context = { getRemainingTimeInMillis: () => REMAINING_MILLISECONDS, memoryLimitInMB: "512" } as Context;
  const { handler } = await import("../../../functions/consumer.ts");

  vi.useFakeTimers();
  try {
    const response = handler?.(event, context, new AbortController());
    const answered = vi.fn();
    void Promise.resolve(response).then(answered);
    await vi.advanceTimersByTimeAsync(REMAINING_MILLISECONDS - RECORDING_SECONDS * 1_000 - 1);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(answered).toHaveBeenCalledExactlyOnceWith({ batchItemFailures: [{ itemIdentifier: "m" }] });
  } finally {
    vi.useRealTimers();
  }
  const item = { run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
  const [state] = await ledger.itemStates([item]);
  expect(state).toMatchObject({ tag: "pending", failures: [{ kind: "aborted" }] });
});

test("the answer waits until the check of the code is stored, because Lambda freezes the environment afterwards", async () => {
  const stored = Promise.withResolvers<void>();
  const settled = vi.spyOn(CodeWatch.prototype, "settled").mockReturnValue(stored.promise);
  const context = { getRemainingTimeInMillis: () => REMAINING_MILLISECONDS, memoryLimitInMB: "512" } as Context;
  const { handler } = await import("../../../functions/consumer.ts");
  const answered = vi.fn();
  const response = Promise.resolve(handler?.({ Records: [] } as SQSEvent, context, new AbortController())).then(
    answered,
  );
  await vi.waitFor(() => expect(settled).toHaveBeenCalled(), PATIENTLY);
  await new Promise(setImmediate);
  expect(answered).not.toHaveBeenCalled();
  stored.resolve();
  await response;
  expect(answered).toHaveBeenCalledExactlyOnceWith({ batchItemFailures: [] });
});
