import { describe, expect, test } from "vitest";
import { runKey } from "../../../shared/ledger/keys.ts";
import {
  deadLetterBody,
  redrivenBody,
  replacementBody,
  truncatedDeadLetterBody,
} from "../../../shared/messages/dead-letter.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import {
  addressFields,
  addressOf,
  attemptsKey,
  blockKey,
  identityOf,
  itemId,
  logFields,
  pageKey,
} from "../../../shared/messages/item-address.ts";

const item = { run: "r1", partition: 0, page: 2003, index: 7, epoch: 2, redriveGeneration: 0 };
const elsewhere = { ...item, partition: 4 };
const death = { reason: "exhausted", at: "2026-11-25T08:00:00.000Z", failures: [] } as const;

// Tables and queues hold what earlier releases wrote, so each of these texts must stay the same to the last byte.
describe("partition 0 is written as in a run without partitions", () => {
  test("the keys of its rows", () => {
    expect(runKey("r1")).toEqual({ pk: "run#r1", sk: "run" });
    expect(blockKey({ run: "r1", partition: 0, block: 2 })).toEqual({ pk: "run#r1#block#2", sk: "block" });
    expect(pageKey(item)).toEqual({ pk: "run#r1#page#2003", sk: "page" });
    expect(attemptsKey(item)).toEqual({ pk: "run#r1#page#2003", sk: "item#7#2" });
    expect(attemptsKey({ ...item, redriveGeneration: 3 })).toEqual({ pk: "run#r1#page#2003", sk: "item#7#2#3" });
  });

  test("the ids of its items", () => {
    expect(itemId(item)).toBe("r1/2003/7");
  });

  test("its messages, from the first to the one that a redrive sends", () => {
    const address = '"workflow":"cities","run":"r1","page":2003,"index":7,"epoch":2';
    const head =
      '"dead":{"reason":"exhausted","at":"2026-11-25T08:00:00.000Z","failures":[],"fingerprint":{"id":"b8a76ea4",';
    const dead = `${head}"text":"Unknown: exhausted"},"redrives":0}`;

    const first = envelopeBody({ ...item, workflow: "cities", resent: true }, 7, '{"name":"Bonn"}');
    expect(first).toBe(`{"sluice":1,${address},"resent":true,"item":{"name":"Bonn"}}`);
    expect(identityOf(parseEnvelope(first))).toEqual({ id: "r1/2003/7", redrives: 0, idempotencyKey: "r1/2003/7" });
    expect(addressOf(parseEnvelope(first))).toEqual(item);

    const deadLetter = deadLetterBody(parseEnvelope(first), death);
    expect(deadLetter).toBe(`{"sluice":1,${address},"item":{"name":"Bonn"},${dead}}`);

    const redriven = redrivenBody(parseEnvelope(deadLetter), death, { redrives: 1, item: { name: "Köln" } });
    expect(redriven).toBe(`{"sluice":2,${address},"edited":"1-9f6763ca","item":{"name":"Köln"},${dead}}`);
    const idempotencyKey = "r1/2003/7/1-9f6763ca";
    expect(identityOf(parseEnvelope(redriven))).toEqual({ id: "r1/2003/7", redrives: 1, idempotencyKey });
    expect(addressOf(parseEnvelope(redriven))).toEqual({ ...item, redriveGeneration: 1 });

    expect(replacementBody(parseEnvelope(first), 70)).toBe(
      `{"sluice":2,${address},"resent":true,"receives":70,"item":{"name":"Bonn"}}`,
    );
    expect(truncatedDeadLetterBody({ ...item, workflow: "cities" }, "xyz", death)).toBe(
      `{"sluice":1,${address},"item":"xyz",${dead.slice(0, -1)},"truncated":true}}`,
    );
  });

  test("the fields of its log entries", () => {
    const fields = { run: "r1", page: 2003, index: 7, epoch: 2, redrives: 3 };
    expect(logFields({ ...item, redriveGeneration: 3 })).toStrictEqual(fields);
  });
});

describe("another partition", () => {
  test("has rows, ids and log entries of its own", () => {
    expect(blockKey({ run: "r1", partition: 4, block: 2 })).toEqual({ pk: "run#r1#partition#4#block#2", sk: "block" });
    expect(pageKey(elsewhere)).toEqual({ pk: "run#r1#partition#4#page#2003", sk: "page" });
    expect(attemptsKey(elsewhere)).toEqual({ pk: "run#r1#partition#4#page#2003", sk: "item#7#2" });
    expect(itemId(elsewhere)).toBe("r1/p4/2003/7");
    expect(logFields(elsewhere)).toMatchObject({ partition: 4 });
  });

  test("has no key or id in common with partition 0, whatever the numbers", () => {
    const numbers = [0, 1, 4, 2003];
    const addresses = numbers.flatMap((partition) =>
      numbers.flatMap((page) => numbers.map((index) => ({ ...item, partition, page, index }))),
    );
    expect(new Set(addresses.map(itemId)).size).toBe(addresses.length);
    expect(new Set(addresses.map((address) => JSON.stringify(attemptsKey(address)))).size).toBe(addresses.length);
  });

  test("is named in a message, and read from it", () => {
    const fields = addressFields(elsewhere);
    expect(JSON.stringify(fields)).toBe('{"run":"r1","partition":4,"page":2003,"index":7,"epoch":2}');
    expect(addressOf(fields)).toEqual(elsewhere);
    expect(addressOf({ ...fields, dead: { redrives: 2 } })).toEqual({ ...elsewhere, redriveGeneration: 3 });
    expect(identityOf({ ...fields, edited: "1-9f6763ca" }).idempotencyKey).toBe("r1/p4/2003/7/1-9f6763ca");
  });

  test("makes an envelope and a dead letter of version 4, which older code puts back", () => {
    const body = envelopeBody({ ...elsewhere, workflow: "cities", resent: false }, 7, '"Bonn"');
    expect(body).toMatch(/^\{"sluice":4,"workflow":"cities","run":"r1","partition":4,/);
    expect(addressOf(parseEnvelope(body))).toEqual({ ...elsewhere, redriveGeneration: 0 });
    const deadLetter = truncatedDeadLetterBody({ ...elsewhere, workflow: "cities" }, "xyz", death);
    expect(parseEnvelope(deadLetter)).toMatchObject({ sluice: 4, partition: 4, page: 2003, index: 7 });
  });
});
