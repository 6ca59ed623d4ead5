import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { browse, findLetters } from "../../../shared/dead-letters/browse.ts";
import type { Letter } from "../../../shared/dead-letters/letter.ts";
import { Pass, type PassOptions } from "../../../shared/dead-letters/pass.ts";
import { SluiceError } from "../../../shared/errors.ts";
import { DLQ, LettersWorld } from "../../helpers/letters-world.ts";

const bodies = (letters: readonly { readonly body: string }[]) => letters.map(({ body }) => body);

function filled(count: number): LettersWorld {
  const world = new LettersWorld();
  for (let n = 0; n < count; n++) world.queues.put(DLQ, `letter ${n}`);
  return world;
}

async function look(world: LettersWorld, options: PassOptions = {}) {
  const seen: Letter[] = [];
  const result = await browse(world.deadLetterQueue, (letter) => seen.push(letter), { ...world.options, ...options });
  return { result, seen };
}

describe("A look at a dead-letter queue", () => {
  test.each([0, 1, 10, 11, 79, 80, 81, 500])(
    "of %i letters sees each once, in order, and gives all back",
    async (count) => {
      const world = filled(count);
      const before = bodies(world.letters);
      const progress: number[] = [];
      const { seen, result } = await look(world, { onProgress: ({ looked }) => progress.push(looked) });
      expect(bodies(seen)).toEqual(before);
      expect(result).toEqual({ looked: count, heldElsewhere: 0, stoppedBy: undefined });
      expect(bodies(world.letters)).toEqual(before);
      expect(world.letters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
      expect(progress.at(-1) ?? 0).toBe(count);
      expect(new Set(seen.map(({ id }) => id)).size).toBe(count);
      // And the next one sees the same.
      expect((await look(world)).seen.map(({ id }) => id)).toEqual(seen.map(({ id }) => id));
    },
  );

  test("tells how far it has come, with what it gives back", async () => {
    const world = filled(30);
    const progress: unknown[] = [];
    await look(world, { onProgress: (each) => progress.push(each) });
    expect(progress).toEqual([
      { looked: 30, total: 30, givenBack: 0 },
      { looked: 30, total: 30, givenBack: 10 },
      { looked: 30, total: 30, givenBack: 20 },
      { looked: 30, total: 30, givenBack: 30 },
    ]);
  });

  test("says how many somebody else holds, and does not wait for them", async () => {
    const world = filled(12);
    await world.deadLetterQueue.receive({ max: 5, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
    const { result } = await look(world);
    expect(result).toMatchObject({ looked: 7, heldElsewhere: 5 });
  });

  test("asks once more with a long poll where counts are not exact", async () => {
    const world = filled(3);
    const receive = vi.spyOn(world.deadLetterQueue, "receive");
    await look(world, { exactCounts: false });
    expect(receive.mock.calls.map(([{ waitSeconds }]) => waitSeconds).at(-1)).toBe(1);
    receive.mockClear();
    await look(world, { exactCounts: true });
    expect(receive.mock.calls.every(([{ waitSeconds }]) => waitSeconds === 0)).toBe(true);
  });

  test("goes on after an empty answer that a letter follows", async () => {
    const world = filled(3);
    const late = vi.fn(() => world.queues.put(DLQ, "late"));
    const receive = world.deadLetterQueue.receive.bind(world.deadLetterQueue);
    vi.spyOn(world.deadLetterQueue, "receive").mockImplementation(async (options) => {
      if (options.waitSeconds > 0 && late.mock.calls.length === 0) late();
      return await receive(options);
    });
    const { seen } = await look(world, { exactCounts: false });
    expect(bodies(seen)).toContain("late");
  });

  test("ends when it is interrupted, and gives all back", async () => {
    const world = filled(200);
    const controller = new AbortController();
    const { result, seen } = await look(world, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect(result.stoppedBy).toBe("interruption");
    expect(seen.length).toBeLessThan(200);
    expect(world.letters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("gives all back when the one who looks throws", async () => {
    const world = filled(200);
    const looking = browse(
      world.deadLetterQueue,
      () => {
        throw new Error("no");
      },
      world.options,
    );
    await expect(looking).rejects.toThrow("no");
    expect(world.letters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("gives back what it holds when a receive fails, those included that others of its wave received", async () => {
    const world = filled(200);
    let receives = 0;
    world.queues.before = (action) => {
      if (action === "receive" && ++receives === 12) throw new Error("the service is unavailable");
    };
    await expect(look(world)).rejects.toThrow("unavailable");
    expect(receives).toBeGreaterThan(12);
    expect(world.letters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("that cannot give back leaves it to the visibility timeout, of about a minute", async () => {
    const world = filled(20);
    world.queues.before = (action) => {
      if (action === "changeVisibility") throw new Error("the service is unavailable");
    };
    await look(world);
    const left = world.letters.map(({ visibleAt }) => visibleAt - world.queues.now);
    expect(new Set(left)).toEqual(new Set([61_000]));
  });

  test("stops at as many as may be in flight, says so, and gives them back", async () => {
    const world = filled(50);
    world.queues.mostInFlight = 30;
    const { result } = await look(world);
    expect(result).toEqual({ looked: 30, heldElsewhere: 0, stoppedBy: "in-flight limit" });
    expect(world.letters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("that holds all just within the limit is whole", async () => {
    const world = filled(30);
    world.queues.mostInFlight = 30;
    expect((await look(world)).result.stoppedBy).toBeUndefined();
  });

  test("refuses a queue that would move on what is looked at, untouched", async () => {
    const world = filled(3);
    world.queues.policies.set(DLQ, JSON.stringify({ deadLetterTargetArn: "arn:aws:sqs:x:1:more", maxReceiveCount: 3 }));
    await expect(look(world)).rejects.toThrow("after 3 receives SQS moves a letter on");
    await expect(look(world)).rejects.toMatchObject({ code: "DLQ_MOVES_ON" });
    expect(world.letters.every(({ receives }) => receives === 0)).toBe(true);
  });

  test("asks for no more large letters at once than fit into memory", async () => {
    const world = new LettersWorld();
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
    const { result } = await look(world);
    expect(result.looked).toBe(40);
    // The first wave knows nothing of them yet.
    expect(Math.max(...most.slice(8))).toBeLessThanOrEqual(1);
  });
});

describe("A pass that takes its time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("puts off the return of what it holds, and knows again what returned all the same", async () => {
    const world = filled(25);
    const seen: string[] = [];
    let waited = 0;
    await new Pass(world.deadLetterQueue, { ...world.options, exactCounts: false }).run(async (letters) => {
      seen.push(...bodies(letters));
      if (waited > 0) return;
      for (; waited < 20; waited++) {
        world.queues.now += 15_000;
        await vi.advanceTimersByTimeAsync(15_000);
        expect(world.letters.filter(({ visibleAt }) => visibleAt <= world.queues.now)).toEqual([]);
      }
      // Now they do return: the clock jumps over their timeout, as when the machine slept.
      world.queues.now += 3_600_000;
    });
    expect(waited).toBe(20);
    expect(seen.toSorted()).toEqual(
      filled(25)
        .letters.map(({ body }) => body)
        .toSorted(),
    );
    expect(world.letters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
  });

  test("removes with the receipt handle that serves, and what comes once more after it", async () => {
    const world = filled(5);
    const [first, second] = world.letters;
    const pass = new Pass(world.deadLetterQueue, world.options);
    await pass.run(async (letters) => {
      world.queues.refuses = (action, message) => action === "delete" && message === second;
      const left = await pass.remove(letters.map(({ id }) => id));
      expect([...left]).toEqual([letters[1]?.id]);
      // SQS delivers at least once.
      if (first !== undefined) world.queues.of(DLQ).push({ ...first, visibleAt: 0, receipt: "" });
      world.queues.refuses = () => false;
    });
    expect(bodies(world.letters)).toEqual(["letter 1"]);
    expect(pass.result.looked).toBe(5);
  });
});

describe("Letters are found", () => {
  test("by the beginning of an id, as long as it is unique", async () => {
    const world = filled(300);
    const ids = world.letters.map(({ id }) => id);
    const [first = "", second = ""] = ids;
    const found = await findLetters(world.deadLetterQueue, [second.slice(0, 12), first], world.options);
    expect(bodies(found)).toEqual(["letter 1", "letter 0"]);
    const shared = ids.map((id) => id.slice(0, 1)).find((each, at, all) => all.indexOf(each) !== at) ?? "";
    await expect(findLetters(world.deadLetterQueue, [shared], world.options)).rejects.toMatchObject({
      code: "AMBIGUOUS_LETTER",
    });
  });

  test("or it is said that they are not there", async () => {
    const world = filled(3);
    const asked = findLetters(world.deadLetterQueue, ["zzz"], world.options);
    await expect(asked).rejects.toThrow(SluiceError);
    await expect(asked).rejects.toThrow('none of the 3 letters has an id that begins with "zzz"');
    await world.deadLetterQueue.receive({ max: 1, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
    await expect(findLetters(world.deadLetterQueue, ["zzz"], world.options)).rejects.toThrow(
      "1 are held by somebody else",
    );
  });
});
