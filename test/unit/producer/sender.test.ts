import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import { ATTEMPT_CHANNEL } from "../../../shared/base/events.ts";
import { readAttemptsRow } from "../../../shared/ledger/attempts-row.ts";
import { LARGEST_ENVELOPE_BYTES } from "../../../shared/messages/body.ts";
import { attemptsKey } from "../../../shared/messages/item-address.ts";
import { PageSender } from "../../../shared/producer/sender.ts";
import { serialise } from "../../../shared/producer/serialised.ts";
import { UnreadableItem } from "../../../shared/sources/unreadable-item.ts";
import { ProducerWorld, RUN } from "../../helpers/producer-world.ts";

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items-size */
const LARGEST_ROW_BYTES = 400 * 1024;

function senderOf(world: ProducerWorld): PageSender {
  return new PageSender({
    workflow: "test",
    ledger: world.ledger,
    queue: world.sqs.queue("https://sqs/queue"),
    deadLetterQueue: world.sqs.queue("https://sqs/dead-letters"),
    now: () => 0,
  });
}

/** Returns how many of its items are dead letters. */
async function sendPage(world: ProducerWorld, page: number, items: readonly unknown[]): Promise<number | undefined> {
  const sender = senderOf(world);
  const written = await sender.write({ id: RUN }, page, items.map(serialise));
  return written && (await sender.send(written));
}

const page = (length: number) => Array.from({ length }, (_, index) => ({ id: index }));
const byIndex = (world: ProducerWorld) => [...world.messages].sort((a, b) => a.index - b.index);

describe("a page", () => {
  test("has another epoch if an item that cannot be sent has changed", async () => {
    const world = new ProducerWorld({});
    const unreadable = (raw: string) => new UnreadableItem({ raw, error: "no JSON", at: "line 1" });
    const epochOf = async (raw: string) =>
      (await senderOf(world).write({ id: RUN }, 0, [unreadable(raw)].map(serialise)))?.header.epoch;
    expect([await epochOf("{"), await epochOf("{"), await epochOf("[")]).toEqual([1, 1, 2]);
  });

  test("publishes the death of an item that cannot be sent, and finds a fault only of an invalid one", async () => {
    const world = new ProducerWorld({});
    await world.start();
    const events: unknown[] = [];
    const listener = (event: unknown) => events.push(event);
    subscribe(ATTEMPT_CHANNEL, listener);
    await sendPage(world, 0, ["x".repeat(2_000_000)]);
    expect((await world.run()).invalidFinding).toBeUndefined();
    await sendPage(world, 1, [Number.NaN]);
    unsubscribe(ATTEMPT_CHANNEL, listener);
    expect((await world.run()).invalidFinding).toBeDefined();
    expect(events).toEqual([
      { event: "died", reason: "too large" },
      { event: "died", reason: "invalid item" },
    ]);
  });

  test("is written into the ledger before its messages are sent", async () => {
    const world = new ProducerWorld({});
    const order: string[] = [];
    world.store.before = (operation) => void order.push(operation);
    world.sqs.before = (action) => void order.push(action);
    await sendPage(world, 0, page(1));
    expect(order).toEqual(["update", "send"]);
  });

  test("becomes one message for each item", async () => {
    const world = new ProducerWorld({});
    expect(await sendPage(world, 3, page(200))).toEqual(0);
    expect(byIndex(world)).toEqual(
      page(200).map((item, index) => ({
        sluice: 1,
        workflow: "test",
        run: RUN,
        page: 3,
        index,
        epoch: 1,
        item,
      })),
    );
  });

  test("whose entries are refused at first is sent completely, each entry once", async () => {
    const world = new ProducerWorld({});
    const refused = new Map<string, number>();
    // Every third message is refused one to four times.
    world.sqs.refuses = (body) => {
      const index: number = JSON.parse(body).index;
      const times = refused.get(body) ?? 0;
      refused.set(body, times + 1);
      return index % 3 === 0 && times < 1 + (index % 4);
    };
    await sendPage(world, 0, page(50));
    expect(byIndex(world).map(({ index }) => index)).toEqual(page(50).map(({ id }) => id));
  });

  test("with an entry that is always refused fails with the reason", async () => {
    const world = new ProducerWorld({});
    world.sqs.refuses = (body) => JSON.parse(body).index === 7;
    await expect(sendPage(world, 0, page(10))).rejects.toThrow(
      "SQS refused 1 messages 5 times. The last reason: InternalError: try again",
    );
  });

  test("of large items is sent in requests of at most a mebibyte", async () => {
    const world = new ProducerWorld({});
    const requests: number[] = [];
    let sent = 0;
    world.sqs.before = () => void requests.push(world.sqs.sent.length);
    await sendPage(
      world,
      0,
      Array.from({ length: 5 }, () => "x".repeat(400_000)),
    );
    sent = world.sqs.sent.length;
    expect(sent).toBe(5);
    expect(requests).toHaveLength(3);
  });
});

test("after a failed request, a page fails once no request is under way, and no new request begins", async () => {
  const world = new ProducerWorld({});
  let begun = 0;
  let ended = 0;
  world.sqs.before = async () => {
    const number = begun++;
    for (let turn = 0; turn < 5 + number; turn++) await new Promise((resolve) => setImmediate(resolve));
    ended++;
    if (number === 3) throw new Error("SQS is away");
  };
  const bodies = Array.from({ length: 1_000 }, (_, index) => ({ body: JSON.stringify({ index }) }));
  await expect(world.sqs.queue("https://sqs/queue").sendAll(bodies)).rejects.toThrow("SQS is away");
  expect(ended).toBe(begun);
  expect(begun).toBeLessThan(30);
});

test("the first two batches of a page are sent alone, and all others together", async () => {
  const world = new ProducerWorld({});
  let turns = 0;
  let counting = setImmediate(function count() {
    turns++;
    counting = setImmediate(count);
  });
  const left: number[] = [];
  world.sqs.before = async () => {
    left.push(turns);
    // Its response takes longer than sending the others.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const bodies = Array.from({ length: 50 }, (_, index) => ({ body: JSON.stringify({ index }) }));
  await world.sqs.queue("https://sqs/queue").sendAll(bodies);
  clearImmediate(counting);
  const [first = 0] = left;
  expect(left.map((turn) => turn - first)).toEqual([0, 1, 2, 2, 2]);
});

describe("an item that cannot be a message", () => {
  test("is a dead letter with its reason, and the others are sent", async () => {
    const world = new ProducerWorld({});
    const run = await world.runs.create({ id: RUN, workflow: "test", requestedAt: "2026-01-01" });
    const hostile = {
      toJSON() {
        throw undefined;
      },
    };
    const items = ["good", Number.NaN, "x".repeat(LARGEST_ENVELOPE_BYTES), hostile, new Map([["a", 1]]), "good too"];
    expect(await sendPage(world, 0, items)).toEqual(4);
    expect(world.items).toEqual(["good", "good too"]);
    expect(world.deadLetters.map(({ index, item, dead }) => [index, String(item).slice(0, 20), dead.reason])).toEqual([
      [1, "NaN", "invalid item"],
      [2, `"${"x".repeat(19)}`, "too large"],
      [3, "{ toJSON: [Function:", "invalid item"],
      [4, "Map(1) { 'a' => 1 }", "invalid item"],
    ]);
    expect(world.deadLetters[0]?.dead).toMatchObject({
      truncated: true,
      failures: [{ attempt: 0, kind: "invalid", name: "ItemError", message: expect.stringContaining("it is NaN") }],
    });
    await world.runs.progress.checkpoint(run, { cursor: undefined, skip: 0, pages: 1, items: 6, ended: true });
    expect(await world.runs.counts(await world.run())).toMatchObject({
      dead: 4,
      pending: 2,
      deadByReason: { "invalid item": 3, "too large": 1 },
    });
  });

  test("is also an item that JSON would drop entirely", async () => {
    const world = new ProducerWorld({});
    expect(await sendPage(world, 0, [new Error("x"), new Map([[1, 2]]), 12345678901234567n])).toEqual(2);
    expect(world.deadLetters.map(({ item, dead }) => [String(item).slice(0, 8), dead.reason])).toEqual([
      ["Error: x", "invalid item"],
      ["Map(1) {", "invalid item"],
    ]);
    expect(world.items).toEqual([12345678901234567n]);
  });

  test("because the source could not read it shows its place", async () => {
    const world = new ProducerWorld({});
    const unreadable = new UnreadableItem({ raw: '{"id":', error: "Unexpected end", at: "cities.jsonl, line 12" });
    await sendPage(world, 0, [unreadable]);
    expect(world.deadLetters).toMatchObject([
      {
        item: '{"id":',
        dead: { reason: "invalid item", failures: [{ message: "cities.jsonl, line 12: Unexpected end" }] },
      },
    ]);
  });

  test("because the source refused it leaves the message of the first one in the run, which names the options to set", async () => {
    const world = new ProducerWorld({});
    await world.runs.create({ id: RUN, workflow: "test", requestedAt: "2026-01-01" });
    const error = (number: number) => `"id" is ${number}: set unsafeNumbers to "text" or "bigint"`;
    const items = [1, 2].map((number) => new UnreadableItem({ raw: `${number}`, error: error(number), at: "page" }));
    await sendPage(world, 0, items);
    expect((await world.run()).invalidFinding?.example).toBe(
      'page: "id" is 1: set unsafeNumbers to "text" or "bigint"',
    );
  });

  test("gets no dead letter if another producer has cancelled it", async () => {
    const world = new ProducerWorld({});
    const sender = senderOf(world);
    const written = await sender.write({ id: RUN }, 0, [Number.NaN].map(serialise));
    await world.ledger.pages.cancel({ run: RUN, partition: 0, page: 0 });
    expect(written && (await sender.send(written))).toBe(0);
    expect(world.deadLetters).toEqual([]);
  });

  test("has a dead letter that fits into a row of the ledger, however long its text and its error are", async () => {
    const world = new ProducerWorld({});
    // JSON needs six bytes for each of these characters.
    const long = "\u0001".repeat(500_000);
    await sendPage(world, 0, [new UnreadableItem({ raw: long, error: long, at: long })]);
    const item = { run: RUN, partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
    const { deadLetter } = readAttemptsRow(await world.store.get(attemptsKey(item)), 0);
    expect(deadLetter).toBe(world.sqs.sent[0]?.body);
    expect(Buffer.byteLength(deadLetter ?? "")).toBeLessThan(0.9 * LARGEST_ROW_BYTES);
  });

  test("whose dead letter could not be sent gets one when the page is sent again", async () => {
    const world = new ProducerWorld({});
    let actions = 0;
    world.sqs.before = () => {
      if (++actions === 2) throw new Error("down");
    };
    await expect(sendPage(world, 0, ["good", Number.NaN])).rejects.toThrow("down");
    expect(world.deadLetters).toEqual([]);
    await sendPage(world, 0, ["good", Number.NaN]);
    expect(world.deadLetters).toMatchObject([{ index: 1 }]);
    // The third time that the page is sent, no further dead letter is sent.
    await sendPage(world, 0, ["good", Number.NaN]);
    expect(world.deadLetters).toHaveLength(1);
  });
});

describe("a page that is sent again", () => {
  test("leaves out settled items, and marks the others so that consumers ask the ledger first", async () => {
    const world = new ProducerWorld({});
    await sendPage(world, 0, page(4));
    await world.ledger.outcomes.recordSuccesses({
      run: RUN,
      partition: 0,
      page: 0,
      epoch: 1,
      items: [{ index: 1, failures: 0, redriveGeneration: 0 }],
    });
    const died = { run: RUN, partition: 0, page: 0, index: 2, epoch: 1, redriveGeneration: 0 };
    await world.ledger.outcomes.claimDeath(died);
    await world.ledger.outcomes.recordDeath(died, "permanent", 0);
    world.sqs.sent.length = 0;
    await sendPage(world, 0, page(4));
    expect(byIndex(world)).toMatchObject([
      { index: 0, epoch: 1, resent: true },
      { index: 3, epoch: 1, resent: true },
    ]);
    expect(world.messages).toHaveLength(2);
  });

  test("with other content is sent completely, in a new epoch", async () => {
    const world = new ProducerWorld({});
    await sendPage(world, 0, ["a", "b"]);
    await world.ledger.outcomes.recordSuccesses({
      run: RUN,
      partition: 0,
      page: 0,
      epoch: 1,
      items: [{ index: 0, failures: 0, redriveGeneration: 0 }],
    });
    world.sqs.sent.length = 0;
    await sendPage(world, 0, ["a", "c"]);
    expect(byIndex(world)).toMatchObject([
      { index: 0, epoch: 2, resent: true, item: "a" },
      { index: 1, epoch: 2, resent: true, item: "c" },
    ]);
  });

  test.each([
    ["items in another order", ["a", "b"], ["b", "a"]],
    ["one item less", ["a", "b"], ["a"]],
    ["a split that reads the same", ["a", "b"], ["a\nb"]],
    ["an item that was none", [Number.NaN], ["NaN"]],
  ])("counts as changed because of %s", async (_, before, after) => {
    const world = new ProducerWorld({});
    await sendPage(world, 0, before);
    world.sqs.sent.length = 0;
    await sendPage(world, 0, after);
    expect(world.messages[0]?.epoch).toBe(2);
  });
});
