import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { QueueDepth } from "../../../shared/aws/queue.ts";
import { SluiceError } from "../../../shared/base/errors.ts";
import { browse, findDeadLetters } from "../../../shared/dead-letters/browse.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { Scan, type ScanOptions } from "../../../shared/dead-letters/scan.ts";
import { DeadLettersWorld, DLQ } from "../../helpers/dead-letters-world.ts";

const bodies = (deadLetters: readonly { readonly body: string }[]) => deadLetters.map(({ body }) => body);

function filled(count: number): DeadLettersWorld {
  const world = new DeadLettersWorld();
  for (let n = 0; n < count; n++) world.queues.put(DLQ, `dead letter ${n}`);
  return world;
}

async function browseAll(world: DeadLettersWorld, options: ScanOptions = {}) {
  const seen: DeadLetter[] = [];
  const result = await browse(world.deadLetterQueue, (deadLetter) => seen.push(deadLetter), {
    ...world.options,
    ...options,
  });
  return { result, seen };
}

describe("A scan of a dead-letter queue", () => {
  test.each([0, 1, 10, 11, 79, 80, 81, 500])(
    "of %i dead letters reads each once, in order, and gives all back",
    async (count) => {
      const world = filled(count);
      const before = bodies(world.deadLetters);
      const progress: number[] = [];
      const { seen, result } = await browseAll(world, { onProgress: ({ looked }) => progress.push(looked) });
      expect(bodies(seen)).toEqual(before);
      expect(result).toEqual({
        looked: count,
        heldElsewhere: 0,
        approximate: false,
        complete: true,
        stoppedBy: undefined,
      });
      expect(bodies(world.deadLetters)).toEqual(before);
      expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
      expect(progress.at(-1) ?? 0).toBe(count);
      expect(new Set(seen.map(({ id }) => id)).size).toBe(count);
      // The next scan reads the same dead letters.
      expect((await browseAll(world)).seen.map(({ id }) => id)).toEqual(seen.map(({ id }) => id));
    },
  );

  test("reports its progress, also while it gives dead letters back", async () => {
    const world = filled(30);
    const progress: unknown[] = [];
    await browseAll(world, { onProgress: (each) => progress.push(each) });
    expect(progress).toEqual([
      { looked: 30, total: 30, givenBack: 0 },
      { looked: 30, total: 30, givenBack: 10 },
      { looked: 30, total: 30, givenBack: 20 },
      { looked: 30, total: 30, givenBack: 30 },
    ]);
  });

  test("returns how many dead letters another command holds, and does not wait for them", async () => {
    const world = filled(12);
    await world.deadLetterQueue.receive({ max: 5, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
    const { result } = await browseAll(world);
    expect(result).toMatchObject({ looked: 7, heldElsewhere: 5, complete: false });
  });

  test.each([true, false])(
    "that runs beside another one returns how many dead letters the other holds (exact counts: %s)",
    async (exact) => {
      const world = filled(108);
      // Both scans count the dead letters before either receives, and the other scan receives eighty.
      const depth = world.deadLetterQueue.depth.bind(world.deadLetterQueue);
      vi.spyOn(world.deadLetterQueue, "depth").mockImplementationOnce(async () => {
        const counted = await depth();
        for (let request = 0; request < 8; request++) {
          await world.deadLetterQueue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 60 });
        }
        return counted;
      });
      const { result } = await browseAll(world, { exactCounts: exact });
      expect(result).toMatchObject({ looked: 28, heldElsewhere: 80, approximate: !exact, complete: false });
    },
  );

  test("counts as held only what others hold at the end, and not what they gave back or deleted", async () => {
    const world = filled(100);
    const others = await world.deadLetterQueue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 60 });
    const [stays, deleted, ...givenBack] = others.map(({ receiptHandle }) => receiptHandle);
    let received = 0;
    world.queues.after = (action) => {
      if (action !== "receive" || ++received !== 1) return;
      for (const message of world.queues.of(DLQ)) if (givenBack.includes(message.receipt)) message.visibleAt = 0;
      const gone = world.queues.of(DLQ).findIndex(({ receipt }) => receipt === deleted);
      world.queues.of(DLQ).splice(gone, 1);
      // A consumer continues to send dead letters.
      for (let n = 0; n < 20; n++) world.queues.put(DLQ, `new ${n}`);
    };
    const { result } = await browseAll(world);
    expect(stays).toBeDefined();
    expect(result).toMatchObject({ looked: 118, heldElsewhere: 1, complete: false });
  });

  test("does not end at the moment at which others give back what they held", async () => {
    const world = filled(20);
    await world.deadLetterQueue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 60 });
    let empty = 0;
    const receive = world.deadLetterQueue.receive.bind(world.deadLetterQueue);
    vi.spyOn(world.deadLetterQueue, "receive").mockImplementation(async (options) => {
      const messages = await receive(options);
      // Another command receives them before this scan does, and gives them back. This happens once.
      if (messages.length === 0 && ++empty === 9) {
        for (const message of world.queues.of(DLQ)) if (message.receives === 1) message.visibleAt = 0;
      }
      return messages;
    });
    const { result } = await browseAll(world);
    expect(result).toMatchObject({ looked: 20, heldElsewhere: 0, complete: true });
  });

  test("receives once more with a long poll if the counts are not exact", async () => {
    const world = filled(3);
    const receive = vi.spyOn(world.deadLetterQueue, "receive");
    await browseAll(world, { exactCounts: false });
    expect(receive.mock.calls.map(([{ waitSeconds }]) => waitSeconds).at(-1)).toBe(1);
    receive.mockClear();
    await browseAll(world, { exactCounts: true });
    expect(receive.mock.calls.every(([{ waitSeconds }]) => waitSeconds === 0)).toBe(true);
  });

  test("continues after an empty response that a dead letter follows", async () => {
    const world = filled(3);
    const late = vi.fn(() => world.queues.put(DLQ, "late"));
    const receive = world.deadLetterQueue.receive.bind(world.deadLetterQueue);
    vi.spyOn(world.deadLetterQueue, "receive").mockImplementation(async (options) => {
      if (options.waitSeconds > 0 && late.mock.calls.length === 0) late();
      return await receive(options);
    });
    const { seen } = await browseAll(world, { exactCounts: false });
    expect(bodies(seen)).toContain("late");
  });

  test("ends when it is interrupted, and gives all dead letters back", async () => {
    const world = filled(200);
    const controller = new AbortController();
    const { result, seen } = await browseAll(world, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(result.stoppedBy).toBe("interruption");
    expect(seen.length).toBeLessThan(200);
    expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("gives everything back when the caller's function throws", async () => {
    const world = filled(200);
    const looking = browse(
      world.deadLetterQueue,
      () => {
        throw new Error("no");
      },
      world.options,
    );
    await expect(looking).rejects.toThrow("no");
    expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("gives back all that it holds when a receive fails, also what other receives of the same wave received", async () => {
    const world = filled(200);
    let receives = 0;
    world.queues.before = (action) => {
      if (action === "receive" && ++receives === 12) throw new Error("the service is unavailable");
    };
    await expect(browseAll(world)).rejects.toThrow("unavailable");
    expect(receives).toBeGreaterThan(12);
    expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("that cannot give dead letters back leaves them hidden for their visibility timeout of about a minute", async () => {
    const world = filled(20);
    world.queues.before = (action) => {
      if (action === "changeVisibility") throw new Error("the service is unavailable");
    };
    await browseAll(world);
    const left = world.deadLetters.map(({ visibleAt }) => visibleAt - world.queues.now);
    expect(new Set(left)).toEqual(new Set([61_000]));
  });

  test("stops at the in-flight limit, says so, and gives the dead letters back", async () => {
    const world = filled(50);
    world.queues.mostInFlight = 30;
    const { result } = await browseAll(world);
    expect(result).toEqual({
      looked: 30,
      heldElsewhere: 0,
      approximate: false,
      complete: false,
      stoppedBy: "in-flight limit",
    });
    expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("that holds all dead letters just within the limit is complete", async () => {
    const world = filled(30);
    world.queues.mostInFlight = 30;
    expect((await browseAll(world)).result.stoppedBy).toBeUndefined();
  });

  test("refuses a queue with a redrive policy, and receives nothing", async () => {
    const world = filled(3);
    world.queues.policies.set(DLQ, JSON.stringify({ deadLetterTargetArn: "arn:aws:sqs:x:1:more", maxReceiveCount: 3 }));
    await expect(browseAll(world)).rejects.toThrow("SQS moves a dead letter to another queue after 3 receives");
    await expect(browseAll(world)).rejects.toMatchObject({ code: "DLQ_MOVES_ON" });
    expect(world.deadLetters.every(({ receives }) => receives === 0)).toBe(true);
  });

  test("asks for no more large dead letters at once than fit into memory", async () => {
    const world = new DeadLettersWorld();
    for (let n = 0; n < 40; n++) world.queues.put(DLQ, "x".repeat(1_000_000));
    let underWay = 0;
    const most: number[] = [];
    const receive = world.deadLetterQueue.receive.bind(world.deadLetterQueue);
    vi.spyOn(world.deadLetterQueue, "receive").mockImplementation(async (options) => {
      most.push(++underWay);
      try {
        return await receive(options);
      } finally {
        underWay--;
      }
    });
    const { result } = await browseAll(world);
    expect(result.looked).toBe(40);
    // The first wave does not know the size of the dead letters yet.
    expect(Math.max(...most.slice(8))).toBeLessThanOrEqual(1);
  });
});

describe("A scan with approximate counts, as SQS has", () => {
  const approximate = { exactCounts: false } as const;

  /** Makes the queue return the given counts, at the first and at the last request for them. */
  function counting(world: DeadLettersWorld, first: Partial<QueueDepth>, last: Partial<QueueDepth> = {}) {
    const none = { visible: 0, inFlight: 0, delayed: 0 };
    const depth = vi.spyOn(world.deadLetterQueue, "depth").mockResolvedValue({ ...none, ...last });
    depth.mockResolvedValueOnce({ ...none, ...first });
  }

  test("is complete if it read all dead letters, although the counts still include those that an earlier scan held", async () => {
    const world = filled(50);
    counting(world, { visible: 10, inFlight: 40 }, { visible: 0, inFlight: 50 });
    expect((await browseAll(world, approximate)).result).toMatchObject({
      looked: 50,
      heldElsewhere: 0,
      complete: true,
    });
  });

  test("counts as held what it did not read, although the counts do not include yet what it holds itself", async () => {
    const world = filled(28);
    counting(world, { visible: 108 }, { visible: 80 });
    expect((await browseAll(world, approximate)).result).toMatchObject({
      looked: 28,
      heldElsewhere: 80,
      complete: false,
    });
  });

  test("does not count dead letters that were sent during the scan as held by others", async () => {
    const world = filled(28);
    counting(world, { visible: 28, inFlight: 80 });
    let received = 0;
    world.queues.after = (action) => {
      if (action !== "receive" || ++received !== 1) return;
      world.queues.now += 1;
      for (let n = 0; n < 80; n++) world.queues.put(DLQ, `new ${n}`);
    };
    expect((await browseAll(world, approximate)).result).toMatchObject({
      looked: 108,
      heldElsewhere: 80,
      complete: false,
    });
  });

  test("finds by the last counts what others received just before the first counts", async () => {
    const world = filled(28);
    counting(world, { visible: 28 }, { inFlight: 108 });
    expect((await browseAll(world, approximate)).result).toMatchObject({
      looked: 28,
      heldElsewhere: 80,
      complete: false,
    });
  });

  test("that was stopped does not count the rest as held by others", async () => {
    const world = filled(200);
    const controller = new AbortController();
    const { result } = await browseAll(world, {
      ...approximate,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(result).toMatchObject({ heldElsewhere: 0, complete: false, stoppedBy: "interruption" });
  });
});

describe("A long scan", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("extends the time of what it holds, and recognises dead letters that became visible nevertheless", async () => {
    const world = filled(25);
    const seen: string[] = [];
    let waited = 0;
    await new Scan(world.deadLetterQueue, { ...world.options, exactCounts: false }).run(async (deadLetters) => {
      seen.push(...bodies(deadLetters));
      if (waited > 0) return;
      for (; waited < 20; waited++) {
        world.queues.now += 15_000;
        await vi.advanceTimersByTimeAsync(15_000);
        expect(world.deadLetters.filter(({ visibleAt }) => visibleAt <= world.queues.now)).toEqual([]);
      }
      // Now they do become visible: the clock jumps beyond their timeout, as if the machine had slept.
      world.queues.now += 3_600_000;
    });
    expect(waited).toBe(20);
    expect(seen.toSorted()).toEqual(
      filled(25)
        .deadLetters.map(({ body }) => body)
        .toSorted(),
    );
    expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("changes no message whose time is over, because another command may hold it", async () => {
    const world = filled(5);
    const changes = vi.spyOn(world.deadLetterQueue, "changeVisibilities");
    const scan = new Scan(world.deadLetterQueue, { ...world.options, exactCounts: false });
    await scan.run(async () => {
      if (changes.mock.calls.length > 0) return;
      world.queues.now += 3_600_000;
      await vi.advanceTimersByTimeAsync(15_000);
      expect(changes).not.toHaveBeenCalled();
      // Another command receives them now, and the scan ends.
      for (const message of world.deadLetters) message.visibleAt = world.queues.now + 60_000;
    });
    expect(changes).not.toHaveBeenCalled();
  });

  test("deletes with the newest receipt handle, and deletes again what SQS delivers after the deletion", async () => {
    const world = filled(5);
    const [first, second] = world.deadLetters;
    const scan = new Scan(world.deadLetterQueue, world.options);
    await scan.run(async (deadLetters) => {
      world.queues.refuses = (action, message) => action === "delete" && message === second;
      const left = await scan.remove(deadLetters.map(({ id }) => id));
      expect([...left]).toEqual([deadLetters[1]?.id]);
      // SQS delivers at least once.
      if (first !== undefined) world.queues.of(DLQ).push({ ...first, visibleAt: 0, receipt: "" });
      world.queues.refuses = () => false;
    });
    expect(bodies(world.deadLetters)).toEqual(["dead letter 1"]);
    expect(scan.result.looked).toBe(5);
  });
});

describe("findDeadLetters", () => {
  test("finds a dead letter by the beginning of its id, if the beginning is unique", async () => {
    const world = filled(300);
    const ids = world.deadLetters.map(({ id }) => id);
    const [first = "", second = ""] = ids;
    const found = await findDeadLetters(world.deadLetterQueue, [second.slice(0, 12), first], world.options);
    expect(bodies(found)).toEqual(["dead letter 1", "dead letter 0"]);
    const shared = ids.map((id) => id.slice(0, 1)).find((each, at, all) => all.indexOf(each) !== at) ?? "";
    await expect(findDeadLetters(world.deadLetterQueue, [shared], world.options)).rejects.toMatchObject({
      code: "AMBIGUOUS_LETTER",
    });
  });

  test("says that the dead letter may be among those that others hold", async () => {
    const world = filled(5);
    const [{ id = "" } = {}] = world.deadLetters;
    await world.deadLetterQueue.receive({ max: 2, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
    const asked = findDeadLetters(world.deadLetterQueue, [id], world.options);
    await expect(asked).rejects.toMatchObject({ code: "LETTERS_HELD" });
    await expect(asked).rejects.toThrow(
      `none of the 3 dead letters that could be read has an id that begins with "${id}". 2 more dead letters are held by another`,
    );
  });

  test("says what the id of a group is good for, or finds the latest dead letter of the group", async () => {
    const world = filled(3);
    const seen: DeadLetter[] = [];
    await browse(world.deadLetterQueue, (deadLetter) => seen.push(deadLetter), world.options);
    const [first] = seen;
    const group = first?.fingerprint.id ?? "";
    const ofGroup = seen.filter(({ fingerprint }) => fingerprint.id === group);
    const latest = ofGroup.toSorted((a, b) => (a.diedAt < b.diedAt ? -1 : 1)).at(-1);
    const asked = findDeadLetters(world.deadLetterQueue, [group], world.options);
    await expect(asked).rejects.toMatchObject({ code: "GROUP_ID" });
    await expect(asked).rejects.toThrow(
      `"${group}" is not the id of a dead letter, but of a group: ${ofGroup.length} dead letter`,
    );
    await expect(asked).rejects.toThrow(`--error ${group}`);
    const found = await findDeadLetters(world.deadLetterQueue, [group], { ...world.options, findsGroups: true });
    expect(found.map(({ diedAt }) => diedAt)).toEqual([latest?.diedAt]);
  });

  test("says that there is no such dead letter", async () => {
    const world = filled(3);
    const asked = findDeadLetters(world.deadLetterQueue, ["zzz"], world.options);
    await expect(asked).rejects.toThrow(SluiceError);
    await expect(asked).rejects.toThrow('none of the 3 dead letters has an id that begins with "zzz"');
  });
});
