import { describe, expect, test } from "vitest";
import { items, PermanentError, RetryLater } from "../../../shared/index.ts";
import { compactEntry, continueEntry, laneEntry } from "../../../shared/messages/control.ts";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

const broken = () => {
  throw new Error("no answer");
};
const lane = (group: string) => group === `lane-0-${RUN}`;

/** A world of lanes, of which the message of the first lane is delivered. */
async function withLane(parts: Parameters<typeof partitioned>[0], before: (partition: string) => unknown) {
  const source = partitioned(parts);
  source.before = before;
  const world = new LanesWorld({ source, producers: 1 });
  await world.start();
  await world.deliver();
  return world;
}

// `sluice logs` shows the lines of one run by this field.
describe("a log line of the producer names its run, and", () => {
  test("of a slice that failed, how many have failed in a row and why", async () => {
    const world = new ProducerWorld({ source: { readPage: broken } });
    await world.start();
    await world.continue(1, 1);
    await world.continue(1, 2);
    expect(world.logger.fieldsOf("the producer failed")).toEqual({
      run: RUN,
      failures: 2,
      error: expect.objectContaining({ message: "the source threw: no answer" }),
    });
  });

  test("of a first page that failed, why", async () => {
    const world = new ProducerWorld({ source: { readPage: broken } });
    await world.startWithPage();
    expect(world.logger.fieldsOf("the first page could not be sent, the continuation tries again")).toEqual({
      run: RUN,
      error: expect.objectContaining({ message: "the source threw: no answer" }),
    });
  });

  test("of a source that failed permanently, why", async () => {
    const source = {
      readPage: () => {
        throw new PermanentError("the token was revoked");
      },
    };
    const world = new ProducerWorld({ source });
    await world.startWithPage();
    expect(world.logger.fieldsOf("the source failed permanently")).toEqual({
      run: RUN,
      error: expect.objectContaining({ message: "the source threw: the token was revoked" }),
    });
  });

  test("of a wait that the service asked for, until when and why", async () => {
    const source = {
      readPage: () => {
        throw new RetryLater({ minutes: 1 }, { message: "too many requests" });
      },
    };
    const world = new ProducerWorld({ source });
    await world.startWithPage();
    expect(world.logger.fieldsOf("the service asked the source to wait")).toEqual({
      run: RUN,
      until: "2026-01-01T00:01:01.000Z",
      reason: "too many requests",
    });
  });

  test("of a warning of the source, nothing else", async () => {
    const source = {
      readPage: (_: unknown, { warn }: { readonly warn: (message: string) => void }) => {
        warn("an old format");
        return { items: [1] };
      },
    };
    const world = new ProducerWorld({ source });
    await world.startWithPage();
    expect(world.logger.fieldsOf("the source warns: an old format")).toEqual({ run: RUN });
  });

  test("of a continuation that is not needed, its number", async () => {
    const world = new ProducerWorld({});
    await world.handle(continueEntry({ workflow: "test", run: "nobody", hop: 7 }));
    expect(world.logger.fieldsOf("the run needs no continuation")).toEqual({ run: "nobody", hop: 7 });
  });

  test("of a slice whose process ends, nothing else", async () => {
    const world = new ProducerWorld({ source: { readPage: () => new Promise<never>(() => {}) } });
    await world.start();
    await world.continue(1, 1, { shutdown: AbortSignal.abort() });
    expect(world.logger.fieldsOf("the process ends, and another producer continues")).toEqual({ run: RUN });
  });

  test("of a scheduled run that is skipped, the run that still works", async () => {
    const world = new ProducerWorld({ source: items([1]) });
    await world.start();
    await world.startScheduled("tuesday");
    expect(world.logger.fieldsOf("skipped a scheduled run, because an earlier run still works")).toEqual({
      run: "tuesday",
      earlier: RUN,
    });
  });

  test("of onComplete that failed, at which attempt and why", async () => {
    const world = new ProducerWorld({ source: items([]), onComplete: broken });
    await world.startWithPage();
    await world.complete();
    expect(world.logger.fieldsOf("onComplete failed")).toEqual({
      run: RUN,
      attempt: 1,
      error: expect.objectContaining({ message: "no answer" }),
    });
  });

  test("of onComplete whose process ended at each attempt, how often and that it did", async () => {
    const world = new ProducerWorld({ source: items([]) });
    await world.startWithPage();
    for (let attempt = 1; attempt <= 5; attempt++) await world.runs.beginCompletion(await world.run());
    await world.complete();
    expect(world.logger.fieldsOf("onComplete failed")).toEqual({
      run: RUN,
      attempt: 5,
      error: "its process ended, or was stopped at its timeout, during the latest attempt",
    });
  });

  test("of a compaction that failed, at which attempt and why, with a code", async () => {
    const world = new ProducerWorld({ source: items([]), results: true }, { resultStore: new MemoryObjectStore() });
    await world.startWithPage();
    const withoutStore = new ProducerWorld({ source: items([]) }, { runs: world.runs, ledger: world.ledger });
    await withoutStore.handle(compactEntry({ workflow: "test", run: RUN, round: 1, slice: 0 }), 3);
    expect(withoutStore.logger.fieldsOf("the results of a run could not be compacted")).toEqual({
      run: RUN,
      attempt: 3,
      error: expect.objectContaining({ code: "NO_RESULT_STORE", ids: { run: RUN } }),
    });
  });

  test("of a lane's continuation that is not needed, the lane and the number", async () => {
    const world = await withLane({ a: [1, 2, 3] }, () => {});
    await world.deliver(lane, { sliceEnd: 0 });
    await world.deliver(lane, { sliceEnd: 0 });
    await world.handle(laneEntry({ workflow: "test", run: RUN, lane: 0, hop: 1 }));
    expect(world.logger.fieldsOf("the lane needs no continuation")).toEqual({ run: RUN, lane: 0, hop: 1 });
  });

  test("of a lane whose process ends, the number of its partition", async () => {
    const world = await withLane({ a: [1] }, () => new Promise(() => {}));
    await world.deliver(lane, { sliceEnd: 0 });
    await world.deliver(lane, { shutdown: AbortSignal.abort() });
    expect(world.logger.fieldsOf("the process ends, and another producer continues")).toEqual({
      run: RUN,
      partition: 1,
    });
  });

  test("of a lane's slice that failed, the partition, how many have failed in a row and why", async () => {
    const world = await withLane({ a: [1] }, broken);
    await world.deliver(lane);
    expect(world.logger.fieldsOf("the producer failed")).toEqual({
      run: RUN,
      partition: "a",
      failures: 1,
      error: expect.objectContaining({ message: "the source threw: no answer" }),
    });
  });

  test("of a partition that could not be read, the partition and why", async () => {
    const world = await withLane({ a: [1] }, () => {
      throw new PermanentError("no rights");
    });
    await world.deliver(lane);
    expect(world.logger.fieldsOf("a partition could not be read")).toEqual({
      run: RUN,
      partition: "a",
      error: "the source threw: no rights",
    });
  });
});

describe("a log line about a message that names no run", () => {
  test("says what is wrong with a malformed message", async () => {
    const world = new ProducerWorld({});
    await world.handle({ body: "hello", group: "any" });
    expect(world.logger.fieldsOf("a message on the control queue is not a control message of Sluice")).toEqual({
      error: expect.objectContaining({ code: "MALFORMED_MESSAGE" }),
    });
  });

  test("says which version wrote a message for a newer version", async () => {
    const world = new ProducerWorld({});
    const { body, group } = continueEntry({ workflow: "test", run: RUN, hop: 1 });
    await world.handle({ body: body.replace('"sluice":1', '"sluice":99'), group });
    expect(world.logger.fieldsOf("put back a control message for a newer version of Sluice")).toEqual({
      error: expect.objectContaining({ message: expect.stringContaining("99") }),
    });
  });
});
