import { describe, expect, test, vi } from "vitest";
import type { CompletionContext, RunSummary } from "../../../shared/definition/on-complete.ts";
import { checkResponse, PermanentError, RetryLater, readResults, type WorkflowOptions } from "../../../shared/index.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import type { ProducerOptions } from "../../../shared/producer/context.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { CONTROL_DEAD_LETTERS, ProducerWorld, REQUESTED_AT, RUN } from "../../helpers/producer-world.ts";
import { refusedBySqs } from "../../helpers/sqs-characters.ts";

const done = { tag: "done" };

/** A run that has ended. It has three items, one of them dead. */
async function ended(workflow: Partial<WorkflowOptions>, options: Partial<ProducerOptions> = {}) {
  const world = new ProducerWorld(workflow, options);
  const run = await world.runs.create({ id: RUN, workflow: "test", requestedAt: REQUESTED_AT });
  await world.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 3, digest: "d" });
  await world.runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: 3, ended: true });
  const page = { run: RUN, partition: 0, page: 0, epoch: 1 };
  await world.ledger.outcomes.recordSuccesses({
    ...page,
    items: [0, 1].map((index) => ({ index, failures: 0, redriveGeneration: 0 })),
  });
  await world.ledger.outcomes.recordDeath({ ...page, index: 2, redriveGeneration: 0 }, "permanent", 1);
  expect((await world.run()).status).toBe("completed");
  return world;
}

const deadLetters = (world: ProducerWorld) => world.sqs.control.filter(({ queue }) => queue === CONTROL_DEAD_LETTERS);

describe("the end of a run", () => {
  test("calls onComplete with the run's exact counts, once", async () => {
    const onComplete = vi.fn<(summary: RunSummary, context: CompletionContext) => void>();
    const world = await ended({ onComplete });
    expect(await world.complete()).toEqual(done);
    expect(onComplete).toHaveBeenCalledExactlyOnceWith(
      {
        workflow: "test",
        run: RUN,
        status: "completed",
        produced: 3,
        succeeded: 2,
        dead: 1,
        cancelled: 0,
        retried: 1,
        deadByReason: { permanent: 1 },
        warnings: [],
        requestedAt: REQUESTED_AT,
        completedAt: expect.any(String),
        wallSeconds: expect.any(Number),
      },
      { attempt: 1, signal: expect.any(AbortSignal), logger: world.logger },
    );
    expect(await world.run()).toMatchObject({ completionAttempts: 1, completionHandledAt: expect.any(String) });
    // A duplicate of the message.
    expect(await world.complete()).toEqual(done);
    expect(onComplete).toHaveBeenCalledTimes(1);
  });

  test("tells onComplete how long the run took, and what all invalid items have in common", async () => {
    const onComplete = vi.fn<(summary: RunSummary) => void>();
    const world = await ended({ onComplete });
    await world.store.update(runKey(RUN), { set: { completedAt: "2026-01-01T00:01:30.500Z" } });
    await world.complete();
    const plain = onComplete.mock.calls[0]?.[0];
    expect(plain?.wallSeconds).toBe(90.5);
    expect(Object.keys(plain ?? {})).not.toEqual(expect.arrayContaining(["failure"]));
    expect(Object.keys(plain ?? {})).not.toEqual(expect.arrayContaining(["sameFailure"]));
    const totals = { dead: 3, cancelled: 0, retried: 0, deadByReason: { "invalid item": 3 } };
    await world.store.update(runKey(RUN), {
      set: { totals, invalidWay: "`email` missing" },
      remove: ["completionHandledAt"],
    });
    await world.complete();
    expect(onComplete.mock.calls[1]?.[0].sameFailure).toBe("all 3 items: `email` missing");
  });

  test("offers results only if the workflow keeps them", async () => {
    const failures: unknown[] = [];
    const onComplete = async (summary: RunSummary) => {
      const results = readResults(summary)[Symbol.asyncIterator]();
      await results.next().catch((error: Error) => failures.push(error.message));
    };
    const options = { resultStore: new MemoryObjectStore() };
    await (await ended({ onComplete }, options)).complete();
    expect(failures).toEqual([expect.stringContaining("add results: true to the workflow")]);
  });

  test("is also handled without an onComplete", async () => {
    const world = await ended({});
    expect(await world.complete()).toEqual(done);
    expect(await world.run()).toMatchObject({ completionHandledAt: expect.any(String), completionError: undefined });
  });

  test("is not announced for a run that is unknown or has not ended", async () => {
    const onComplete = vi.fn();
    const world = new ProducerWorld({ onComplete });
    expect(await world.complete()).toEqual(done);
    await world.start();
    expect(await world.complete()).toEqual(done);
    expect(onComplete).not.toHaveBeenCalled();
    expect(await world.run()).toMatchObject({ completionAttempts: 0, completionHandledAt: undefined });
  });

  test.each(["cancelled", "failed"] as const)("calls onComplete with the status %s", async (status) => {
    const onComplete = vi.fn<(summary: RunSummary) => void>();
    const world = new ProducerWorld({ onComplete });
    const tolerance = { count: 0, minimum: 1 };
    const run = await world.runs.create({ id: RUN, workflow: "test", requestedAt: REQUESTED_AT, tolerance });
    await world.ledger.pages.open({ run: RUN, partition: 0, page: 0 }, { size: 2, digest: "d" });
    await world.ledger.outcomes.recordDeath(
      { run: RUN, partition: 0, page: 0, epoch: 1, index: 0, redriveGeneration: 0 },
      "exhausted",
      0,
    );
    await world.runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: 2, ended: true });
    if (status === "failed") await world.runs.stopBeyondTolerance(RUN, 1);
    else await world.runs.cancel(RUN);
    await world.ledger.outcomes.recordCancelled({
      run: RUN,
      partition: 0,
      page: 0,
      epoch: 1,
      items: [{ index: 1, redriveGeneration: 0 }],
    });
    await world.complete();
    expect(onComplete.mock.calls[0]?.[0]).toMatchObject({ status, succeeded: 0, dead: 1, cancelled: 1 });
    expect(onComplete.mock.calls[0]?.[0].failure).toBe(
      status === "failed" ? "1 items died, more than the 0 that are tolerated" : undefined,
    );
  });
});

describe("an onComplete that fails", () => {
  test("is tried again after a backoff that doubles, and after five attempts its message goes to the dead-letter queue with the reason", async () => {
    const onComplete = vi.fn((_: RunSummary, __: CompletionContext) => Promise.reject(new Error("the mail is down")));
    const world = await ended({ onComplete });
    const verdicts = [];
    for (let attempt = 1; attempt <= 5; attempt++) verdicts.push(await world.complete());
    // random is 0.5.
    const waits = [1_000, 2_000, 4_000, 8_000].map((milliseconds) => ({ tag: "wait", milliseconds }));
    expect(verdicts).toEqual([...waits, done]);
    expect(onComplete.mock.calls.map(([, { attempt }]) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(deadLetters(world)).toMatchObject([
      {
        body: JSON.stringify({ sluice: 1, type: "complete", run: RUN, workflow: "test" }),
        attributes: { SluiceReason: { StringValue: "onComplete failed 5 times: the mail is down" } },
      },
    ]);
    expect(await world.run()).toMatchObject({
      completionHandledAt: expect.any(String),
      completionError: "the mail is down",
    });
  });

  test("because its service asks to wait is not called again before that time", async () => {
    const answers = [
      () => checkResponse(new Response("one a minute", { status: 429, headers: { "retry-after": "60" } })),
      () => Promise.reject(new RetryLater({ days: 2 })),
      () => undefined,
    ];
    const world = await ended({ onComplete: () => answers.shift()?.() });
    expect(await world.complete()).toEqual({ tag: "wait", milliseconds: 60_000 });
    expect(await world.complete()).toEqual({ tag: "wait", milliseconds: 11 * 3_600_000 });
    expect(await world.complete()).toEqual(done);
    expect(deadLetters(world)).toEqual([]);
  });

  test("has the service's response in the reason of its dead-letter message", async () => {
    const world = await ended({ onComplete: () => checkResponse(new Response("no such hook", { status: 404 })) });
    for (let attempt = 1; attempt <= 5; attempt++) await world.complete();
    expect(deadLetters(world)).toMatchObject([
      {
        attributes: {
          SluiceReason: { StringValue: "onComplete failed 5 times: the service answered 404: no such hook" },
        },
      },
    ]);
  });

  test("and then succeeds is not called again", async () => {
    const onComplete = vi.fn().mockRejectedValueOnce(undefined);
    const world = await ended({ onComplete });
    expect(await world.complete()).toMatchObject({ tag: "wait" });
    expect(await world.run()).toMatchObject({ completionHandledAt: undefined });
    expect(await world.complete()).toEqual(done);
    expect(await world.complete()).toEqual(done);
    expect(onComplete).toHaveBeenCalledTimes(2);
    expect(deadLetters(world)).toEqual([]);
  });

  test("synchronously, or with a PermanentError, is treated in the same way", async () => {
    const world = await ended({
      onComplete: () => {
        throw new PermanentError("at once");
      },
    });
    expect(await world.complete()).toMatchObject({ tag: "wait" });
  });

  test("by never settling fails when the invocation must end, after its signal has fired", async () => {
    let signal: AbortSignal | undefined;
    const closing = new AbortController();
    const onComplete = (_: RunSummary, context: CompletionContext) => {
      signal = context.signal;
      closing.abort();
      return new Promise(() => {});
    };
    const world = await ended({ onComplete });
    expect(await world.complete({ signal: closing.signal })).toMatchObject({ tag: "wait" });
    expect(signal?.aborted).toBe(true);
    expect(world.logger.fieldsOf("onComplete failed")?.error).toMatchObject({
      message: "onComplete did not settle before the end of the invocation",
    });
  });

  test("by never settling fails when the signal fires later", async () => {
    const closing = new AbortController();
    const onComplete = () => {
      setImmediate(() => closing.abort());
      return new Promise(() => {});
    };
    const world = await ended({ onComplete });
    expect(await world.complete({ signal: closing.signal })).toMatchObject({ tag: "wait" });
  });

  test("by ending its process each time is dead-lettered after five attempts, too", async () => {
    const onComplete = vi.fn();
    const world = await ended({ onComplete });
    // The row after five attempts that died before they could record a failure.
    for (let attempt = 1; attempt <= 5; attempt++) await world.runs.beginCompletion(await world.run());
    expect(await world.complete()).toEqual(done);
    expect(onComplete).not.toHaveBeenCalled();
    expect(deadLetters(world)).toHaveLength(1);
    expect(deadLetters(world)[0]?.attributes.SluiceReason?.StringValue).toMatch(
      /^onComplete failed 5 times: its process ended/,
    );
    expect(await world.run()).toMatchObject({
      completionHandledAt: expect.any(String),
      completionError: expect.stringContaining("its process ended"),
    });
    // After a redrive from the dead-letter queue, it is called again.
    expect(await world.complete()).toEqual(done);
    expect(onComplete).toHaveBeenCalledTimes(1);
    expect(await world.run()).toMatchObject({ completionError: undefined });
  });

  test("with characters that SQS refuses can be dead-lettered, too", async () => {
    const world = await ended({ onComplete: () => Promise.reject(new Error(`\u0000 \ud83d ${"😀".repeat(1_000)}`)) });
    for (let attempt = 1; attempt <= 5; attempt++) await world.complete();
    const reason = deadLetters(world)[0]?.attributes.SluiceReason?.StringValue ?? "";
    expect(reason).toMatch(/^onComplete failed 5 times: /);
    expect(reason.length).toBeLessThanOrEqual(1_000);
    expect(refusedBySqs(reason)).toEqual([]);
  });

  test("can be redriven after it was dead-lettered, and dead-lettered again", async () => {
    const onComplete = vi.fn().mockRejectedValue(new Error("down"));
    const world = await ended({ onComplete });
    for (let attempt = 1; attempt <= 6; attempt++) await world.complete();
    expect(onComplete).toHaveBeenCalledTimes(6);
    // Each copy has its own de-duplication id. Otherwise the queue would drop the second one.
    expect(new Set(deadLetters(world).map(({ deduplicationId }) => deduplicationId)).size).toBe(2);
    onComplete.mockResolvedValue(undefined);
    expect(await world.complete()).toEqual(done);
    expect(await world.run()).toMatchObject({ completionError: undefined });
    await world.complete();
    expect(onComplete).toHaveBeenCalledTimes(7);
  });

  test("and cannot be dead-lettered is received again", async () => {
    const world = await ended({ onComplete: () => Promise.reject(new Error("down")) });
    for (let attempt = 1; attempt <= 4; attempt++) await world.complete();
    world.sqs.before = () => Promise.reject(new Error("SQS is down"));
    await expect(world.complete()).rejects.toThrow("SQS is down");
    expect((await world.run()).completionHandledAt).toBeUndefined();
  });
});

test("the results of a run that began with results cannot be read by code without them, and the error says what to do", async () => {
  const onComplete = async (summary: RunSummary) => {
    for await (const _ of readResults(summary));
  };
  const world = new ProducerWorld({ results: true, onComplete });
  await world.runs.create({
    id: RUN,
    workflow: "test",
    requestedAt: REQUESTED_AT,
    results: { format: "jsonl", include: [] },
  });
  const run = await world.run();
  await world.runs.progress.checkpoint(run, { ...run.checkpoint, ended: true });
  expect(await world.complete()).toMatchObject({ tag: "wait" });
  expect(world.logger.fieldsOf("onComplete failed")?.error).toMatchObject({
    code: "CONFIGURATION",
    message: expect.stringContaining("add results: true to the workflow"),
  });
});

describe("the event of a run's end", () => {
  test("is published before onComplete is called", async () => {
    const order: unknown[] = [];
    const publishEvent = vi.fn(async (summary: RunSummary) => void order.push(["event", summary.run]));
    const world = await ended({ onComplete: ({ run }) => void order.push(["onComplete", run]) }, { publishEvent });
    await world.complete();
    expect(order).toEqual([
      ["event", RUN],
      ["onComplete", RUN],
    ]);
  });

  test("that cannot be published is tried again, and onComplete waits for it", async () => {
    const onComplete = vi.fn();
    const publishEvent = vi.fn(async () => {}).mockRejectedValueOnce(new Error("throttled"));
    const world = await ended({ onComplete }, { publishEvent });
    expect(await world.complete()).toMatchObject({ tag: "wait" });
    expect(onComplete).not.toHaveBeenCalled();
    expect(await world.complete()).toEqual(done);
    expect(onComplete).toHaveBeenCalledTimes(1);
    expect(publishEvent).toHaveBeenCalledTimes(2);
  });
});
