import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RunWatch } from "../../../shared/consumer/run-watch.ts";
import { RUN_STATUSES, type RunRecord, type RunStatus } from "../../../shared/ledger/run-record.ts";

function watching(status: RunStatus | undefined = "running") {
  const find = vi.fn(async (id: string) =>
    status === undefined ? undefined : ({ id, status, checkpoint: { ended: false } } as RunRecord),
  );
  const clock = { now: 100 };
  return { watch: new RunWatch({ find }, () => clock.now), find, clock };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("what a run wants of its messages", () => {
  test.each(RUN_STATUSES.map((status) => [status] as const))("is known by its status: %s", async (status) => {
    const modes: Partial<Record<RunStatus, string>> = { paused: "pause", cancelling: "drain", failing: "drain" };
    expect(await watching(status).watch.mode("a")).toBe(modes[status] ?? "work");
  });

  test("is to be worked on, of one that nobody knows: its messages are told apart by the ledger", async () => {
    const find = vi.fn(async () => undefined);
    expect(await new RunWatch({ find }, () => 0).mode("a")).toBe("work");
  });

  test.each([
    ["since when is known", "1970-01-01T00:00:10.000Z", 90_000],
    ["since when is not known: long ago", undefined, Number.POSITIVE_INFINITY],
  ])("is to be put back for a part of the pause, of which %s", async (_, pausedAt, milliseconds) => {
    const run = { id: "a", status: "paused", checkpoint: { ended: false }, pausedAt } as RunRecord;
    const watch = new RunWatch({ find: async () => run }, () => 100_000);
    await watch.mode("a");
    expect(watch.pausedMilliseconds("a")).toBe(milliseconds);
    expect(watch.pausedMilliseconds("b")).toBe(0);
    const { watch: working } = watching("running");
    await working.mode("a");
    expect(working.pausedMilliseconds("a")).toBe(0);
  });

  test("is asked for once, by however many messages, and serves for a second", async () => {
    const { watch, find, clock } = watching();
    await Promise.all([watch.mode("a"), watch.mode("a"), watch.mode("b")]);
    expect(find.mock.calls).toEqual([["a"], ["b"]]);
    clock.now += 999;
    await watch.mode("a");
    expect(find).toHaveBeenCalledTimes(2);
  });

  test("is asked for anew behind the back of a task that the old answer still serves", async () => {
    const { watch, find, clock } = watching();
    await watch.mode("a");
    clock.now += 1_000;
    find.mockResolvedValueOnce({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("work");
    expect(find).toHaveBeenCalledTimes(2);
    await vi.waitFor(async () => expect(await watch.mode("a")).toBe("pause"));
  });

  test("of one that was found stopped: its source is not read any more, though an old message of it comes", async () => {
    const { watch, clock } = watching("paused");
    await watch.mode("a");
    // The answer serves no more, and is kept all the same.
    clock.now += 3_000;
    watch.noteSent("a", clock.now);
    expect(watch.isProducing).toBe(false);
    watch.noteSent("b", clock.now);
    expect(watch.isProducing).toBe(true);
  });

  test("is waited for once the answer is three seconds old", async () => {
    const { watch, find, clock } = watching();
    await watch.mode("a");
    clock.now += 3_000;
    find.mockResolvedValueOnce({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("pause");
  });

  test("is asked for again by the next message where it could not be found out", async () => {
    const { watch, find } = watching();
    find.mockRejectedValueOnce(new Error("throttled"));
    await expect(Promise.all([watch.mode("a"), watch.mode("a")])).rejects.toThrow("throttled");
    expect(find).toHaveBeenCalledTimes(1);
    expect(await watch.mode("a")).toBe("work");
    expect(find).toHaveBeenCalledTimes(2);
  });
});

describe("a message that was just sent", () => {
  test("tells that its run was worked on then: its task waits for no look, which is made meanwhile", async () => {
    const { watch, find, clock } = watching("paused");
    clock.now = 10_000;
    watch.noteSent("a", 9_001);
    expect(watch.isProducing).toBe(true);
    expect(await Promise.all([watch.mode("a"), watch.mode("a")])).toEqual(["work", "work"]);
    expect(find).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(50);
    expect(find).toHaveBeenCalledTimes(1);
    expect(await watch.mode("a")).toBe("pause");
    expect(find).toHaveBeenCalledTimes(1);
    expect(watch.isProducing).toBe(false);
  });

  test("tells nothing when it was sent a second ago, nor more than what is known", async () => {
    const { watch, clock } = watching("paused");
    clock.now = 10_000;
    watch.noteSent("a", 9_000);
    expect(await watch.mode("a")).toBe("pause");
    watch.noteSent("a", 10_000);
    expect(await watch.mode("a")).toBe("pause");
  });

  test("by a clock that is ahead, is believed no longer than by one that is right", async () => {
    const { watch, find, clock } = watching("paused");
    clock.now = 10_000;
    watch.noteSent("a", 70_000);
    clock.now = 11_000;
    expect(await watch.mode("a")).toBe("pause");
    expect(find).toHaveBeenCalledTimes(1);
  });

  test("is not held against a look that fails: the next task waits for its own", async () => {
    const { watch, find, clock } = watching("paused");
    clock.now = 10_000;
    watch.noteSent("a", 9_999);
    find.mockRejectedValueOnce(new Error("down"));
    expect(await watch.mode("a")).toBe("work");
    await vi.advanceTimersByTimeAsync(50);
    expect(find).toHaveBeenCalledTimes(1);
    clock.now = 11_000;
    expect(await watch.mode("a")).toBe("pause");
  });
});

describe("in a process that serves one invocation after another", () => {
  test("an answer serves the next invocation for a second, and then is waited for", async () => {
    const { watch, find, clock } = watching("running");
    await watch.mode("a");
    clock.now += 999;
    watch.begin();
    expect(await watch.mode("a")).toBe("work");
    expect(find).toHaveBeenCalledTimes(1);
    clock.now += 1;
    watch.begin();
    find.mockResolvedValueOnce({ id: "a", status: "cancelling", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("drain");
  });

  test("a message that was just sent waits for no look where the last one is too old to serve", async () => {
    const { watch, find, clock } = watching("running");
    await watch.mode("a");
    clock.now = 60_000;
    watch.begin();
    watch.noteSent("a", 59_500);
    find.mockResolvedValueOnce({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("work");
    expect(find).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(50);
    expect(await watch.mode("a")).toBe("pause");
    expect(find).toHaveBeenCalledTimes(2);
  });

  test("a run is taken to be produced for three seconds after it was found to be", async () => {
    const { watch, clock } = watching("running");
    await watch.mode("a");
    clock.now += 2_999;
    expect(watch.isProducing).toBe(true);
    clock.now += 1;
    expect(watch.isProducing).toBe(false);
  });

  test("nothing that was found out by a clock that was set back since serves", async () => {
    const { watch, find, clock } = watching("running");
    clock.now = 3_600_000;
    await watch.mode("a");
    watch.noteSent("a", 3_600_000);
    clock.now = 0;
    find.mockResolvedValueOnce({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("pause");
  });

  test("a message that was sent just before its run was found stopped waits for a look, in later invocations too", async () => {
    const { watch, find, clock } = watching("paused");
    clock.now = 10_000;
    expect(await watch.mode("a")).toBe("pause");
    for (const now of [10_900, 70_000]) {
      clock.now = now + 500;
      watch.begin();
      watch.noteSent("a", now);
      expect(await watch.mode("a")).toBe("pause");
    }
    expect(find).toHaveBeenCalledTimes(3);
  });

  describe("a look that an earlier invocation began", () => {
    async function leftBehind() {
      const { watch, find, clock } = watching("paused");
      const { promise, resolve } = Promise.withResolvers<RunRecord>();
      find.mockReturnValueOnce(promise);
      const early = watch.mode("a");
      const comeBack = async () => {
        resolve({ id: "a", status: "running", checkpoint: { ended: false } } as RunRecord);
        expect(await early).toBe("work");
      };
      return { watch, find, clock, comeBack };
    }

    test("serves a later one within the second", async () => {
      const { watch, find, clock, comeBack } = await leftBehind();
      clock.now += 999;
      watch.begin();
      const mode = watch.mode("a");
      await comeBack();
      expect(await mode).toBe("work");
      expect(find).toHaveBeenCalledTimes(1);
    });

    test("and that comes back later serves it not: the run may have been stopped meanwhile", async () => {
      const { watch, find, clock, comeBack } = await leftBehind();
      clock.now += 60_000;
      watch.begin();
      const mode = watch.mode("a");
      await comeBack();
      expect(await mode).toBe("pause");
      expect(find).toHaveBeenCalledTimes(2);
      expect(await watch.mode("a")).toBe("pause");
    });

    test("and that comes back before the later one asks leaves it no answer", async () => {
      const { watch, clock, comeBack } = await leftBehind();
      clock.now += 60_000;
      watch.begin();
      await comeBack();
      expect(await watch.mode("a")).toBe("pause");
    });

    test("and that comes back last does not replace the answer of a later one", async () => {
      const { watch, find, clock, comeBack } = await leftBehind();
      clock.now += 2_000;
      watch.begin();
      expect(await watch.mode("a")).toBe("pause");
      await comeBack();
      expect(await watch.mode("a")).toBe("pause");
      expect(watch.isProducing).toBe(false);
      expect(find).toHaveBeenCalledTimes(2);
    });
  });

  test("what is known of a hundred runs is forgotten", async () => {
    const { watch, find } = watching("running");
    for (let run = 0; run < 99; run++) await watch.mode(String(run));
    watch.begin();
    await watch.mode("0");
    expect(find).toHaveBeenCalledTimes(99);
    await watch.mode("99");
    watch.begin();
    await watch.mode("0");
    expect(find).toHaveBeenCalledTimes(101);
  });

  test("a run of which nothing was heard for three seconds makes no room for that", async () => {
    const { watch, find, clock } = watching("running");
    for (let run = 0; run < 99; run++) await watch.mode(String(run));
    clock.now += 3_000;
    await watch.mode("99");
    watch.begin();
    await watch.mode("99");
    expect(find).toHaveBeenCalledTimes(100);
  });
});
