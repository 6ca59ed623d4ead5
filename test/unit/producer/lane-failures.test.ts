import { describe, expect, test } from "vitest";
import { PermanentError } from "../../../shared/index.ts";
import { LanesWorld, partitioned } from "../../helpers/lanes-world.ts";
import { RUN } from "../../helpers/producer-world.ts";

const lane = (group: string) => group === `lane-0-${RUN}`;

/** A run with one lane, whose message is on the control queue. */
async function started(source: ReturnType<typeof partitioned>, limit?: number) {
  const world = new LanesWorld({ source, producers: 1, ...(limit !== undefined && { limit }) });
  await world.start();
  await world.deliver();
  return world;
}

describe("a partition that cannot be read", () => {
  const broken = () => {
    throw new Error("no answer");
  };

  test("counts five failed slices, and fails with the fifth without another wait", async () => {
    const source = partitioned({ a: [1] });
    source.before = broken;
    const world = await started(source);
    for (let slice = 1; slice <= 4; slice++) {
      expect(await world.deliver(lane)).toMatchObject({ tag: "wait" });
      expect(world.metrics.counts.slicesFailed).toBe(slice);
    }
    expect(await world.deliver(lane)).toMatchObject({ tag: "done" });
    expect(world.metrics.counts.slicesFailed).toBe(5);
    expect((await world.run()).status).toBe("failed");
  });

  test("because of a PermanentError counts one failed slice", async () => {
    const source = partitioned({ a: [1] });
    source.before = () => {
      throw new PermanentError("no rights");
    };
    const world = await started(source);
    await world.deliver(lane);
    expect(world.metrics.counts).toEqual({ slicesFailed: 1 });
  });

  test("of a run with a limit leaves even a single partition after it unread, and the failure says so", async () => {
    const source = partitioned({ a: [1], b: [2] });
    source.before = (id) => {
      if (id === "a") throw new PermanentError("no rights");
    };
    const world = await started(source, 5);
    await world.drain();
    expect(world.items).toEqual([]);
    expect((await world.run()).failure).toBe(
      'partition "a": the source threw: no rights. The partitions after it were not read, because the run has a limit of ' +
        "items. sluice resume reads this partition again",
    );
  });

  test("after a deploy of a source without partitions is the whole source", async () => {
    const world = new LanesWorld({ source: partitioned({ a: [1] }), producers: 1 });
    await world.start();
    const readPage = () => {
      throw new PermanentError("no rights");
    };
    const after = new LanesWorld({ source: { readPage } }, { ledger: world.ledger, runs: world.runs });
    await after.continueWith(1);
    await after.drain();
    expect((await world.run()).failure).toMatch(/^partition "all": /);
  });
});

describe("a list of partitions that cannot be read", () => {
  const failing = async (thrown: unknown, time = {}) => {
    const partitions = () => {
      throw thrown;
    };
    const world = new LanesWorld({ source: { ...partitioned({}), partitions } });
    await world.start();
    await world.deliver(() => true, time);
    return world;
  };

  test("because of a PermanentError fails the run at once", async () => {
    const cause = new PermanentError("no rights");
    const world = await failing(cause);
    expect(await world.run()).toMatchObject({
      status: "failed",
      failure: "the source's function partitions threw: no rights",
    });
    expect(world.logger.fieldsOf("the source failed permanently")?.error).toMatchObject({ cause });
  });

  test("because the time is over says for which reason the signal has fired", async () => {
    const partitions = () => new Promise<never>(() => {});
    const world = new LanesWorld({ source: { ...partitioned({}), partitions } });
    await world.start();
    const cause = new Error("the invocation ends");
    await world.deliver(() => true, { signal: AbortSignal.abort(cause) });
    expect(world.logger.fieldsOf("the producer failed")?.error).toMatchObject({ cause });
  });
});

test("a resumed run does not ask for its list of partitions again, while its lanes work", async () => {
  let asked = 0;
  const partitions = () => {
    asked++;
    return [{ id: "a" }];
  };
  const world = new LanesWorld({ source: { ...partitioned({ a: [1] }), partitions }, producers: 1 });
  await world.start();
  await world.deliver();
  await world.runs.pause(RUN);
  await world.resume();
  await world.deliver((group) => group === RUN);
  expect(asked).toBe(1);
});
