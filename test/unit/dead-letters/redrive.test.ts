import { describe, expect, test, vi } from "vitest";
import { ItemError } from "../../../shared/base/errors.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { type RedriveOptions, redrive } from "../../../shared/dead-letters/redrive.ts";
import { runKey } from "../../../shared/ledger/keys.ts";
import { MOST_REDRIVES } from "../../../shared/ledger/page-row.ts";
import { truncatedDeadLetterBody } from "../../../shared/messages/dead-letter.ts";
import { type Envelope, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { addressOf, identityOf } from "../../../shared/messages/item-address.ts";
import { DeadLettersWorld, DLQ, QUEUE, WORKFLOW } from "../../helpers/dead-letters-world.ts";
import { failureOf } from "../../helpers/failures.ts";

/** A run in which all of the given number of items died. */
async function dead(items: number): Promise<DeadLettersWorld> {
  const world = new DeadLettersWorld();
  await world.produce(items);
  for (let index = 0; index < items; index++) await world.die(world.envelope(index));
  return world;
}

const all = (world: DeadLettersWorld, more: Partial<RedriveOptions> = {}) =>
  redrive({ ...world.options, select: () => true, ...more });
const sent = (world: DeadLettersWorld) => world.messages.map(({ body }) => parseEnvelope(body));
const even = ({ index }: DeadLetter) => Number(index) % 2 === 0;

describe("A redrive", () => {
  test("moves the selected dead letters, and their items are pending again until they settle", async () => {
    const world = await dead(25);
    expect(await world.counts()).toMatchObject({ dead: 25, pending: 0 });
    const moved: number[] = [];
    const result = await all(world, { select: even, onMoved: (count) => moved.push(count) });
    expect(result).toMatchObject({ looked: 25, selected: 13, moved: 13, edited: 0, refused: {}, runs: { run: 13 } });
    expect(moved.at(-1)).toBe(13);
    expect(await world.counts()).toMatchObject({ dead: 12, pending: 13, deadByReason: { exhausted: 12 } });
    expect(sent(world).map(({ index }) => index)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]);
    expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
    await world.work(({ index }) => index !== 4);
    expect(await world.counts()).toMatchObject({ succeeded: 12, dead: 13, pending: 0 });
  });

  test("leaves items that die again during the redrive, so that it ends", async () => {
    const world = await dead(12);
    // The consumers dead-letter each item at once.
    world.queues.after = (action, queue) => {
      if (action !== "send" || queue !== QUEUE || world.deadLetters.length > 100) return;
      world.queues.now += 1;
      for (const { body } of world.queues.of(QUEUE).splice(0)) world.queues.put(DLQ, body);
    };
    const result = await all(world);
    expect(result).toMatchObject({ looked: 24, selected: 12, moved: 12, complete: true });
    expect(world.deadLetters).toHaveLength(12);
  });

  test("keeps the history, and the next redrive generation adds to it", async () => {
    const world = await dead(1);
    for (const redrives of [1, 2, 3]) {
      expect(await all(world)).toMatchObject({ moved: 1 });
      await world.work(() => false);
      const [deadLetter] = world.deadLetters.map(({ body }) => parseEnvelope(body));
      expect(deadLetter?.dead).toMatchObject({ redrives, reason: "exhausted" });
      expect(deadLetter?.dead?.failures).toHaveLength(1 + redrives);
    }
    expect(await world.counts()).toMatchObject({ dead: 1, pending: 0 });
  });

  test("leaves an item that was redriven as often as its page's row in the ledger has room for", async () => {
    const world = await dead(2);
    for (let redrives = 1; redrives <= MOST_REDRIVES; redrives++) {
      expect(await all(world, { select: even })).toMatchObject({ moved: 1 });
      await world.work(() => false);
    }
    const result = await all(world);
    expect(result).toMatchObject({ moved: 1, refused: { "redriven too often": 1 } });
    expect(result.refusals).toEqual([
      {
        id: expect.any(String),
        refusal: "redriven too often",
        message: `its item was redriven ${MOST_REDRIVES} times, and the ledger has no room for more: export it`,
      },
    ]);
  });

  test("that changes an item gives the item a new idempotency key, which stays until the item is changed again", async () => {
    const world = await dead(1);
    const identities = [];
    const amounts = [undefined, 5, undefined, 5, 6, 5];
    for (const amount of amounts) {
      const edit = amount === undefined ? undefined : () => ({ index: 0, amount });
      expect(await all(world, { edit })).toMatchObject({ moved: 1 });
      identities.push(...sent(world).map(identityOf));
      await world.work(() => false);
    }
    expect(identities.map(({ id }) => id)).toEqual(amounts.map(() => "run/0/0"));
    expect(identities.map(({ redrives }) => redrives)).toEqual([1, 2, 3, 4, 5, 6]);
    const [asItWas, five, stays, sameAgain, six, fiveAgain] = identities.map(({ idempotencyKey }) => idempotencyKey);
    expect(asItWas).toBe("run/0/0");
    expect(five).toMatch(/^run\/0\/0\/2-[0-9a-f]{8}$/);
    expect(stays).toBe(five);
    // The new item equals the old one, so the key stays.
    expect(sameAgain).toBe(five);
    expect(six).toMatch(/^run\/0\/0\/5-/);
    expect(fiveAgain).toMatch(/^run\/0\/0\/6-/);
    expect(new Set([asItWas, five, six, fiveAgain]).size).toBe(4);
  });

  test("that crashes and is repeated gives the same idempotency key, and another change gives another key", async () => {
    const world = await dead(1);
    const edit = (amount: number) => all(world, { edit: () => ({ amount }) });
    const keys = [];
    for (const amount of [5, 5, 6]) {
      // The redrive crashes after it has sent the message, so the dead letter stays.
      world.queues.before = (action) => {
        if (action === "delete") throw new Error("killed");
      };
      await expect(edit(amount)).rejects.toThrow("killed");
      world.queues.before = () => {};
      world.queues.now += 3_600_000;
      keys.push(identityOf(sent(world).at(-1) as Envelope).idempotencyKey);
    }
    expect(keys[0]).toBe(keys[1]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  test("returns in a dry run what it would move, and changes nothing", async () => {
    const world = await dead(3);
    const edit = vi.fn(({ index }: DeadLetter) => {
      if (index === 1) throw new Error("item.index must be even");
      return { changed: index };
    });
    const result = await all(world, { dryRun: true, edit });
    expect(result).toMatchObject({
      selected: 3,
      moved: 2,
      edited: 2,
      refused: { "edit refused": 1 },
      runs: { run: 2 },
    });
    expect(result.refusals).toEqual([
      { id: world.deadLetters[1]?.id, refusal: "edit refused", message: "item.index must be even" },
    ]);
    expect([world.deadLetters.length, world.messages.length]).toEqual([3, 0]);
    expect(await world.counts()).toMatchObject({ dead: 3, pending: 0 });
  });

  test("changes items, and leaves dead letters whose new item cannot be a message", async () => {
    const world = await dead(4);
    const edits = [() => undefined, async () => ({ id: 7 }), () => new Map(), () => "x".repeat(1_048_576)];
    const result = await all(world, { edit: (deadLetter) => edits[Number(deadLetter.index)]?.() });
    expect(result).toMatchObject({ moved: 2, edited: 1, refused: { "edit refused": 2 } });
    expect(result.refusals[0]?.message).toContain("a Map");
    expect(sent(world).map(({ item }) => item)).toEqual([{ index: 0 }, { id: 7 }]);
    expect(world.deadLetters).toHaveLength(2);
  });

  test("sends a truncated dead letter only if the edit returns a whole item", async () => {
    const world = new DeadLettersWorld();
    await world.produce(1);
    const failures = [failureOf(new ItemError("TOO_LARGE", "too large"), 0)];
    const address = { workflow: WORKFLOW, run: "run", partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
    world.queues.put(
      DLQ,
      truncatedDeadLetterBody(address, "aaaa", { reason: "too large", at: "2026-11-25", failures }),
    );
    await world.ledger.outcomes.recordDeath(address, "too large", 0);
    const refused = await all(world);
    expect(refused).toMatchObject({ moved: 0, refused: { truncated: 1 } });
    expect(refused.refusals[0]?.message).toContain("edit the item so that it is whole again");
    expect(await all(world, { edit: () => "a reference" })).toMatchObject({ moved: 1, edited: 1 });
    await world.work(() => true);
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 0 });
  });

  test("refuses dead letters of runs that are being stopped or are not known, and of pages that have changed", async () => {
    const world = await dead(1);
    await world.produce(2, "stopping");
    await world.die(world.envelope(0, 0, "stopping"));
    await world.runs.cancel("stopping");
    await world.die({ ...world.envelope(0), run: "gone" });
    const { body = "" } = world.deadLetters[0] ?? {};
    world.queues.put(DLQ, body.replace('"run":"run"', '"run":"gone"'));
    world.queues.put(DLQ, body.replace('"epoch":1', '"epoch":7'));
    const result = await all(world);
    expect(result).toMatchObject({ moved: 1, refused: { "run stopping": 1, "unknown run": 1, stale: 1 } });
    expect(world.deadLetters).toHaveLength(3);
  });

  test("moves dead letters of runs that have ended as cancelled", async () => {
    const world = await dead(1);
    await world.produce(2, "cancelled");
    await world.die(world.envelope(0, 0, "cancelled"));
    const { hop: _ } = (await world.runs.cancel("cancelled")) ?? {};
    const item = { run: "cancelled", partition: 0, page: 0, epoch: 1, index: 1, redriveGeneration: 0 };
    await world.ledger.outcomes.recordCancelled({ ...item, items: [item] });
    expect((await world.runs.get("cancelled")).status).toBe("cancelled");
    expect(await all(world)).toMatchObject({ moved: 2 });
    await world.work(() => true);
    expect(await world.counts("cancelled")).toMatchObject({ succeeded: 1, cancelled: 1, dead: 0, pending: 0 });
  });

  test("deletes the dead letter of an item that has succeeded, and sends nothing", async () => {
    const world = await dead(1);
    const [deadLetter] = world.deadLetters;
    if (deadLetter !== undefined) world.queues.put(DLQ, deadLetter.body);
    await all(world, { select: ({ id }) => id === deadLetter?.id });
    await world.work(() => true);
    expect(await all(world)).toMatchObject({ selected: 1, moved: 0, alreadyDone: 1 });
    expect([world.deadLetters.length, world.messages.length]).toEqual([0, 0]);
  });

  test("gives an old dead letter a new redrive generation, although later generations of its item have died", async () => {
    const world = await dead(1);
    const old = world.deadLetters[0]?.body ?? "";
    await all(world);
    await world.work(() => false);
    world.queues.of(DLQ).splice(0);
    world.queues.put(DLQ, old);
    expect(await all(world)).toMatchObject({ moved: 1 });
    expect(sent(world)[0]?.dead?.redrives).toBe(1);
    await world.work(() => true);
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 0, pending: 0 });
  });

  test("redrives a message that SQS moved as a dead letter with the failures in the ledger", async () => {
    const world = new DeadLettersWorld();
    await world.produce(1);
    const envelope = world.envelope(0);
    await world.ledger.attempts.recordFailure(addressOf(envelope), 1, failureOf(new Error("out of memory")));
    world.queues.put(DLQ, JSON.stringify(envelope), { movedFrom: "arn:aws:sqs:x:1:queue" });
    expect(await world.counts()).toMatchObject({ pending: 1, dead: 0 });
    expect(await all(world)).toMatchObject({ moved: 1 });
    expect(sent(world)[0]?.dead).toMatchObject({
      reason: "unexplained",
      redrives: 0,
      failures: [{ message: "out of memory" }],
    });
    await world.work(() => true);
    expect(await world.counts()).toMatchObject({ pending: 0, succeeded: 1 });
    expect((await world.runs.get("run")).status).toBe("completed");
  });

  test("treats a redriven message that SQS moved as another death of its item", async () => {
    const world = await dead(1);
    await all(world);
    const [message] = world.queues.of(QUEUE).splice(0);
    world.queues.put(DLQ, message?.body ?? "", { movedFrom: "arn:aws:sqs:x:1:queue" });
    let reason = "";
    await all(world, {
      select(deadLetter) {
        reason = deadLetter.reason;
        return true;
      },
    });
    expect(reason).toBe("unexplained");
    expect(sent(world)[0]?.dead).toMatchObject({ reason: "unexplained", redrives: 1 });
  });

  test("sends foreign dead letters unchanged or with an edited body, and without the reason attribute", async () => {
    const world = new DeadLettersWorld();
    const attributes = {
      SluiceReason: { DataType: "String", StringValue: "malformed message: the body is not JSON" },
      trace: { DataType: "Binary", BinaryValue: Uint8Array.from([1, 2]) },
    };
    for (const body of ["hello", '{"a":1}', '"text"']) world.queues.put(DLQ, body, { attributes });
    expect(await all(world)).toMatchObject({ moved: 3, runs: {} });
    expect(world.messages.map(({ body }) => body)).toEqual(["hello", '{"a":1}', '"text"']);
    expect(world.messages.map((message) => Object.keys(message.attributes))).toEqual([["trace"], ["trace"], ["trace"]]);
    expect(world.messages[0]?.attributes.trace?.BinaryValue).toEqual(Buffer.from([1, 2]));

    for (const body of ["hello", '{"a":1}', '"text"']) world.queues.put(DLQ, body);
    world.queues.of(QUEUE).splice(0);
    const items = ["bye", { a: 2 }, "new"];
    let next = 0;
    expect(await all(world, { edit: () => items[next++] })).toMatchObject({ moved: 3, edited: 3 });
    expect(world.messages.map(({ body }) => body)).toEqual(["bye", '{"a":2}', '"new"']);
  });

  test("leaves dead letters whose message SQS refuses", async () => {
    const world = await dead(3);
    world.queues.refuses = (action, message) => action === "send" && String(message).includes('"index":1');
    const result = await all(world);
    expect(result).toMatchObject({ moved: 2, refused: { "send refused": 1 } });
    expect(result.refusals[0]?.message).toBe("InternalError: try again");
    expect(world.deadLetters.map(({ body }) => parseEnvelope(body).index)).toEqual([1]);
    expect(await world.counts()).toMatchObject({ dead: 1, pending: 2 });
  });
});

test("A redrive that is interrupted ends between two steps, and makes the other dead letters visible", async () => {
  const world = await dead(12);
  const soon = new AbortController();
  const result = await all(world, { ratePerSecond: 2, signal: soon.signal, onMoved: () => soon.abort() });
  expect(result).toMatchObject({ moved: 1, stoppedBy: "interruption" });
  expect(world.deadLetters).toHaveLength(11);
  expect(world.deadLetters.every(({ visibleAt }) => visibleAt <= world.queues.now)).toBe(true);
});

describe("A redrive into a queue with little room", () => {
  test("waits for the consumers, so that the messages that may be in flight stay below what SQS allows", async () => {
    const world = await dead(100);
    world.queues.put(QUEUE, "a message of another run");
    const depths: number[] = [];
    const full: number[] = [];
    const sleep = async () => {
      depths.push(world.messages.length);
      // Half of the items have succeeded. The others have failed, and wait hidden for their next attempt.
      const messages = world.queues.of(QUEUE);
      for (const message of messages.splice(0, messages.length / 2)) message.visibleAt += 60_000;
    };
    const room = { mostMessages: 90, onFull: (messages: number) => full.push(messages), sleep };
    expect(await all(world, { room })).toMatchObject({ moved: 100, refused: {} });
    // A step has 80 dead letters.
    expect(depths).toEqual([81]);
    expect(full).toEqual([81]);
    expect(world.messages.length).toBeLessThanOrEqual(90);
  });

  test("that is interrupted while it waits leaves all dead letters", async () => {
    const world = await dead(3);
    const soon = new AbortController();
    const room = { mostMessages: 0, sleep: async () => soon.abort() };
    expect(await all(world, { signal: soon.signal, room })).toMatchObject({ moved: 0, stoppedBy: "interruption" });
    expect(world.deadLetters.filter(({ visibleAt }) => visibleAt <= world.queues.now)).toHaveLength(3);
  });

  test("does not ask for the depth for each dead letter", async () => {
    const world = await dead(200);
    let asked = 0;
    world.queues.before = (action, queue) => {
      if (action === "attributes" && queue === QUEUE) asked++;
    };
    expect(await all(world)).toMatchObject({ moved: 200 });
    expect(asked).toBe(1);
  });
});

describe("A redrive that crashes", () => {
  const STEPS = ["before it sends", "after it sent", "before it deletes", "after it deleted"] as const;
  test.each(STEPS)("%s loses nothing, and its repetition settles the item once", async (step) => {
    const world = await dead(2);
    const die = () => {
      // From now on the process sends no request, so it does not give the dead letters back either.
      world.queues.before = () => {
        throw new Error("the process died");
      };
      throw new Error("the process died");
    };
    if (step === "before it sends") world.queues.before = (action) => action === "send" && die();
    if (step === "after it sent") world.queues.after = (action) => action === "send" && die();
    if (step === "before it deletes") world.queues.before = (action) => action === "delete" && die();
    if (step === "after it deleted") world.queues.after = (action) => action === "delete" && die();
    await expect(all(world)).rejects.toThrow("the process died");
    world.queues.before = () => {};
    world.queues.after = () => {};

    expect(world.deadLetters.length + world.messages.length).toBe({ 0: 2, 1: 4, 2: 4, 3: 2 }[STEPS.indexOf(step)]);
    const { dead: dying, pending } = await world.counts();
    expect({ dying, pending }).toEqual(step.includes("delete") ? { dying: 0, pending: 2 } : { dying: 2, pending: 0 });
    world.queues.now += 120_000;
    await all(world);
    await world.work(({ index }) => index === 0);
    await all(world, { dryRun: true });
    expect(await world.counts()).toMatchObject({ succeeded: 1, dead: 1, pending: 0 });
    // The item that died has one dead letter, or two if the redrive crashed before it deleted the first one.
    expect(new Set(world.deadLetters.map(({ body }) => parseEnvelope(body).index))).toEqual(new Set([1]));
  });
});

describe("A redrive of what a newer version wrote", () => {
  const newer = JSON.stringify({ sluice: 6, workflow: WORKFLOW, partition: 1, dead: {} });

  test("refuses a dead letter of a newer version, and moves the others", async () => {
    const world = await dead(2);
    await world.deadLetterQueue.sendAll([{ body: newer }]);
    const result = await all(world, { edit: () => ({ changed: true }) });
    expect(result).toMatchObject({ selected: 3, moved: 2, refused: { "newer version": 1 } });
    expect(result.refusals[0]?.message).toContain("the envelope has version 6");
    expect(world.deadLetters.map(({ body }) => body)).toEqual([newer]);
  });

  test("refuses the dead letters of a run that a newer version began", async () => {
    const world = await dead(2);
    await world.store.update(runKey("run"), { set: { version: 4 } });
    expect(await all(world)).toMatchObject({ moved: 0, refused: { "newer version": 2 } });
    expect(world.deadLetters).toHaveLength(2);
    expect(world.messages).toEqual([]);
  });
});
