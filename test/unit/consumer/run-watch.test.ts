import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RunWatch } from "../../../shared/consumer/run-watch.ts";
import { RUN_STATUSES, type RunRecord, type RunStatus } from "../../../shared/ledger/run-record.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

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

describe("the mode of a run", () => {
  test.each(RUN_STATUSES.map((status) => [status] as const))("follows from its status: %s", async (status) => {
    const modes: Partial<Record<RunStatus, string>> = { paused: "pause", cancelling: "drain", failing: "drain" };
    expect(await watching(status).watch.mode("a")).toBe(modes[status] ?? "work");
  });

  test("is work if the run is unknown: the ledger then finds its items unknown", async () => {
    const find = vi.fn(async () => undefined);
    expect(await new RunWatch({ find }, () => 0).mode("a")).toBe("work");
  });

  test.each([
    ["is known", "1970-01-01T00:00:10.000Z", 90_000],
    ["is not known", undefined, Number.POSITIVE_INFINITY],
  ])("comes with the length of the pause, whose begin %s", async (_, pausedAt, milliseconds) => {
    const run = { id: "a", status: "paused", checkpoint: { ended: false }, pausedAt } as RunRecord;
    const watch = new RunWatch({ find: async () => run }, () => 100_000);
    await watch.mode("a");
    expect(watch.pausedMilliseconds("a")).toBe(milliseconds);
    expect(watch.pausedMilliseconds("b")).toBe(0);
    const { watch: working } = watching("running");
    await working.mode("a");
    expect(working.pausedMilliseconds("a")).toBe(0);
  });

  test("is asked for once for all messages, and is used for a second", async () => {
    const { watch, find, clock } = watching();
    await Promise.all([watch.mode("a"), watch.mode("a"), watch.mode("b")]);
    expect(find.mock.calls).toEqual([["a"], ["b"]]);
    clock.now += 999;
    await watch.mode("a");
    expect(find).toHaveBeenCalledTimes(2);
  });

  test("is asked for again in the background while the old answer is still used", async () => {
    const { watch, find, clock } = watching();
    await watch.mode("a");
    clock.now += 1_000;
    find.mockResolvedValueOnce({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("work");
    expect(find).toHaveBeenCalledTimes(2);
    await vi.waitFor(async () => expect(await watch.mode("a")).toBe("pause"), PATIENTLY);
  });

  test("shows that the source of a stopped run is not read any more, even if an old message arrives", async () => {
    const { watch, clock } = watching("paused");
    await watch.mode("a");
    // The answer is not valid any more, but it is kept.
    clock.now += 3_000;
    watch.noteSent("a", clock.now);
    expect(watch.isProducing).toBe(false);
    watch.noteSent("b", clock.now);
    expect(watch.isProducing).toBe(true);
  });

  test("is waited for if the last answer is three seconds old", async () => {
    const { watch, find, clock } = watching();
    await watch.mode("a");
    clock.now += 3_000;
    find.mockResolvedValueOnce({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("pause");
  });

  test("is asked for again by the next message if a request failed", async () => {
    const { watch, find } = watching();
    find.mockRejectedValueOnce(new Error("throttled"));
    await expect(Promise.all([watch.mode("a"), watch.mode("a")])).rejects.toThrow("throttled");
    expect(find).toHaveBeenCalledTimes(1);
    expect(await watch.mode("a")).toBe("work");
    expect(find).toHaveBeenCalledTimes(2);
  });
});

describe("the source of a run", () => {
  const answer = (ended: boolean) => ({ id: "a", status: "running", checkpoint: { ended } }) as RunRecord;

  test("is not being read if a valid answer says that it has ended, though a message was just sent", async () => {
    const { watch, find, clock } = watching();
    find.mockResolvedValue(answer(true));
    await watch.mode("a");
    expect(watch.isProducing).toBe(false);
    watch.noteSent("a", clock.now);
    expect(watch.isProducing).toBe(false);
  });

  test("is being read if a message was just sent, and the answer about its run is too old", async () => {
    const { watch, find, clock } = watching();
    find.mockResolvedValue(answer(true));
    await watch.mode("a");
    clock.now += 3_000;
    watch.noteSent("a", clock.now);
    expect(watch.isProducing).toBe(true);
  });
});

test("the listener receives each run that the ledger returns, and nothing about an unknown run", async () => {
  const found = { id: "a", status: "running", checkpoint: { ended: false } } as RunRecord;
  const onAnswer = vi.fn();
  const watch = new RunWatch({ find: async (id) => (id === "a" ? found : undefined) }, () => 0, onAnswer);
  await watch.mode("a");
  await watch.mode("b");
  expect(onAnswer.mock.calls).toEqual([[found]]);
});

describe("a message that was just sent", () => {
  test("shows that its run was at work, so its task waits for no request, which is sent in the background", async () => {
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

  test("shows nothing if it was sent a second ago, or if more is known", async () => {
    const { watch, clock } = watching("paused");
    clock.now = 10_000;
    watch.noteSent("a", 9_000);
    expect(await watch.mode("a")).toBe("pause");
    watch.noteSent("a", 10_000);
    expect(await watch.mode("a")).toBe("pause");
  });

  test("leads to a request in the background again after each long break", async () => {
    const { watch, find, clock } = watching("running");
    for (const [breaks, now] of [10_000, 14_000, 18_000].entries()) {
      clock.now = now;
      watch.noteSent("a", now);
      expect(await watch.mode("a")).toBe("work");
      expect(find).toHaveBeenCalledTimes(breaks);
      await vi.advanceTimersByTimeAsync(50);
      expect(find).toHaveBeenCalledTimes(breaks + 1);
    }
  });

  test("by a clock that is ahead is not used for longer than by a correct clock", async () => {
    const { watch, find, clock } = watching("paused");
    clock.now = 10_000;
    watch.noteSent("a", 70_000);
    clock.now = 11_000;
    expect(await watch.mode("a")).toBe("pause");
    expect(find).toHaveBeenCalledTimes(1);
  });

  test("is followed by a request of the next task, if the request in the background failed", async () => {
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
  test("an answer is used by the next invocation for a second, and then the next answer is waited for", async () => {
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

  test("a message that was just sent waits for no request, even if the last answer is too old", async () => {
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

  test("the source of a run counts as being read for three seconds after the answer", async () => {
    const { watch, clock } = watching("running");
    await watch.mode("a");
    clock.now += 2_999;
    expect(watch.isProducing).toBe(true);
    clock.now += 1;
    expect(watch.isProducing).toBe(false);
  });

  test("answers from before the clock was set back are not used", async () => {
    const { watch, find, clock } = watching("running");
    clock.now = 3_600_000;
    await watch.mode("a");
    watch.noteSent("a", 3_600_000);
    clock.now = 0;
    find.mockResolvedValueOnce({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
    expect(await watch.mode("a")).toBe("pause");
  });

  test("a message that was sent just before its run stopped waits for a request, in later invocations too", async () => {
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

  describe("a request of an earlier invocation", () => {
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

    test("is used by a later invocation within a second", async () => {
      const { watch, find, clock, comeBack } = await leftBehind();
      clock.now += 999;
      watch.begin();
      const mode = watch.mode("a");
      await comeBack();
      expect(await mode).toBe("work");
      expect(find).toHaveBeenCalledTimes(1);
    });

    test("is not used later than that, because the run may have been stopped in between", async () => {
      const { watch, find, clock, comeBack } = await leftBehind();
      clock.now += 60_000;
      watch.begin();
      const mode = watch.mode("a");
      await comeBack();
      expect(await mode).toBe("pause");
      expect(find).toHaveBeenCalledTimes(2);
      expect(await watch.mode("a")).toBe("pause");
    });

    test("is not used either if its answer arrives before the later invocation asks", async () => {
      const { watch, clock, comeBack } = await leftBehind();
      clock.now += 60_000;
      watch.begin();
      await comeBack();
      expect(await watch.mode("a")).toBe("pause");
    });

    test("is not used either if the clock was set back since, because nobody knows how old it is", async () => {
      const { watch, find, clock, comeBack } = await leftBehind();
      clock.now -= 1;
      const mode = watch.mode("a");
      await comeBack();
      expect(await mode).toBe("pause");
      expect(find).toHaveBeenCalledTimes(2);
    });

    test("ends without ending the later request, which all messages share", async () => {
      const { watch, find, clock, comeBack } = await leftBehind();
      clock.now += 2_000;
      watch.begin();
      const later = Promise.withResolvers<RunRecord>();
      find.mockReturnValueOnce(later.promise);
      const modes = [watch.mode("a")];
      await comeBack();
      modes.push(watch.mode("a"));
      later.resolve({ id: "a", status: "paused", checkpoint: { ended: false } } as RunRecord);
      expect(await Promise.all(modes)).toEqual(["pause", "pause"]);
      expect(find).toHaveBeenCalledTimes(2);
    });

    test("does not replace the answer to a later request, if its own answer arrives last", async () => {
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

  test("a hundred known runs are forgotten", async () => {
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

  test("a run without a valid answer does not count as one of the hundred", async () => {
    const { watch, find, clock } = watching("running");
    for (let run = 0; run < 99; run++) await watch.mode(String(run));
    clock.now += 3_000;
    await watch.mode("99");
    watch.begin();
    await watch.mode("99");
    expect(find).toHaveBeenCalledTimes(100);
  });
});
