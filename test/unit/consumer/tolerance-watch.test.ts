import { describe, expect, test, vi } from "vitest";
import { ToleranceWatch } from "../../../shared/consumer/outcomes/tolerance-watch.ts";
import { PermanentError } from "../../../shared/index.ts";
import type { RunRecord } from "../../../shared/ledger/run-record.ts";
import type { ToleranceVerdict } from "../../../shared/ledger/run-states.ts";
import { parseControlMessage } from "../../../shared/messages/control.ts";
import { CONTROL, ConsumerWorld, RUN } from "../../helpers/consumer-world.ts";

/** A watch whose clock stands, over runs of which those in `beyond` have too many dead items. */
function watching() {
  const beyond = new Set<string>();
  const stopBeyondTolerance = vi.fn(
    async (run: string, _deaths: number, _options?: object): Promise<ToleranceVerdict> =>
      beyond.has(run)
        ? { tag: "stopped", run: { id: run, workflow: "test", hop: 4 } as RunRecord }
        : { tag: "continues" },
  );
  const sendControl = vi.fn(async () => {});
  const clock = { now: 50 };
  const watch = new ToleranceWatch({
    runs: { stopBeyondTolerance },
    controlQueue: { sendControl },
    now: () => clock.now,
  });
  return { watch, beyond, clock, stopBeyondTolerance, sendControl };
}

describe("the deaths of a run's items", () => {
  test("are counted at the first one at once, and then together, at most once a second", async () => {
    const { watch, clock, stopBeyondTolerance } = watching();
    const countsAfter = async (now: number) => {
      clock.now = now;
      await watch.noteDeath("a");
      return stopBeyondTolerance.mock.calls.map(([, deaths]) => deaths);
    };
    expect(await countsAfter(50)).toEqual([1]);
    expect(await countsAfter(50)).toEqual([1]);
    expect(await countsAfter(1_049)).toEqual([1]);
    expect(await countsAfter(1_050)).toEqual([1, 3]);
    expect(await countsAfter(2_049)).toEqual([1, 3]);
  });

  test("are counted for each run separately", async () => {
    const { watch, stopBeyondTolerance } = watching();
    for (const run of ["a", "b", "a", "b"]) await watch.noteDeath(run);
    expect(stopBeyondTolerance.mock.calls.map(([run, deaths]) => [run, deaths])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
  });

  test("are counted at the end if some are not counted yet, and only then", async () => {
    const { watch, stopBeyondTolerance } = watching();
    for (const run of ["a", "b", "b"]) await watch.noteDeath(run);
    stopBeyondTolerance.mockClear();
    await watch.finish();
    expect(stopBeyondTolerance.mock.calls).toEqual([["b", 1, { soon: true }]]);
    await watch.finish();
    expect(stopBeyondTolerance).toHaveBeenCalledTimes(1);
  });

  test("are counted again at the end if they could not be counted", async () => {
    const { watch, stopBeyondTolerance } = watching();
    stopBeyondTolerance.mockRejectedValueOnce(new Error("throttled"));
    await expect(watch.noteDeath("a")).rejects.toThrow("throttled");
    await watch.finish();
    expect(stopBeyondTolerance.mock.calls.map(([, deaths]) => deaths)).toEqual([1, 1]);
    await watch.finish();
    expect(stopBeyondTolerance).toHaveBeenCalledTimes(2);
  });

  test("make another check at the end if a check was due", async () => {
    const { watch, stopBeyondTolerance } = watching();
    stopBeyondTolerance.mockResolvedValueOnce({ tag: "due" });
    await watch.noteDeath("a");
    await watch.finish();
    expect(stopBeyondTolerance.mock.calls.map(([, deaths]) => deaths)).toEqual([1, 0]);
    await watch.finish();
    expect(stopBeyondTolerance).toHaveBeenCalledTimes(2);
  });

  test("are counted at the end for each run, also if the rows of another one cannot be read", async () => {
    const { watch, stopBeyondTolerance } = watching();
    for (const run of ["a", "b", "a", "b"]) await watch.noteDeath(run);
    stopBeyondTolerance.mockClear();
    stopBeyondTolerance.mockRejectedValueOnce(new Error("throttled"));
    await expect(watch.finish()).rejects.toThrow("throttled");
    expect(stopBeyondTolerance.mock.calls.map(([run]) => run)).toEqual(["a", "b"]);
  });

  test("cost one request in all if the run tolerates any number of them", async () => {
    const { watch, clock, stopBeyondTolerance } = watching();
    stopBeyondTolerance.mockResolvedValueOnce({ tag: "not limited" });
    for (clock.now = 0; clock.now < 10_000; clock.now += 500) await watch.noteDeath("a");
    await watch.finish();
    expect(stopBeyondTolerance).toHaveBeenCalledTimes(1);
  });

  test("tell the producer once if they stop the run", async () => {
    const { watch, beyond, clock, sendControl } = watching();
    await watch.noteDeath("a");
    expect(sendControl).not.toHaveBeenCalled();
    beyond.add("a");
    clock.now += 1_000;
    await watch.noteDeath("a");
    expect(sendControl).toHaveBeenCalledExactlyOnceWith({
      body: JSON.stringify({ sluice: 1, type: "continue", run: "a", workflow: "test", hop: 5 }),
      group: "a",
      deduplicationId: "continue-a-5",
    });
  });
});

describe("a run with more dead items than it tolerates", () => {
  const dies = { task: () => Promise.reject(new PermanentError("no")) };

  test("is stopped with its reason, the producer is told once, and the other items are cancelled", async () => {
    const world = await ConsumerWorld.of([..."abcdef"], { count: 1, minimum: 100 });
    await world.consume(dies, [world.message(0)]);
    expect(await world.status()).toBe("running");
    await world.consume(dies, [world.message(1)]);
    expect(await world.runs.get(RUN)).toMatchObject({
      status: "failing",
      failure: "2 items died, more than the 1 that are tolerated",
    });
    expect(world.sqs.control.map(({ queue, body }) => [queue, parseControlMessage(body)])).toEqual([
      [CONTROL, { sluice: 1, type: "continue", workflow: "test", run: RUN, hop: 1 }],
    ]);
    const task = vi.fn();
    expect(await world.consume({ task }, world.messages().slice(2))).toEqual([]);
    expect(task).not.toHaveBeenCalled();
    expect(await world.status()).toBe("failed");
    expect(await world.counts()).toMatchObject({ produced: 6, succeeded: 0, dead: 2, cancelled: 4, pending: 0 });
    expect(world.sqs.control).toHaveLength(1);
  });

  test("is also stopped if all items die at once", async () => {
    const world = await ConsumerWorld.of([..."abcdef"], { count: 4, minimum: 100 });
    await world.consume(dies, world.messages().slice(0, 5), { now: () => 0 });
    expect(await world.status()).toBe("failing");
    expect(world.sqs.control).toHaveLength(1);
  });

  test("goes on if it cannot be checked, and its deaths stay recorded", async () => {
    const world = await ConsumerWorld.of(["a", "b"], { count: 0, minimum: 100 });
    let isDeadLettered = false;
    world.sqs.before = (action) => {
      isDeadLettered ||= action === "send";
    };
    world.store.before = (operation, key) => {
      if (operation === "getMany" && key?.sk === "block" && isDeadLettered) throw new Error("throttled");
    };
    expect(await world.consume(dies, [world.message(0)])).toEqual([]);
    world.store.before = () => {};
    expect(await world.status()).toBe("running");
    expect(await world.counts()).toMatchObject({ dead: 1, pending: 1 });
    expect(world.logger.lines).toContain("warn: could not check whether too many items have died");
  });
});
