import type { BatchGetItemCommand, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { describe, expect, test } from "vitest";
import { DynamoDbStore } from "../../../shared/aws/dynamodb-table.ts";
import { ROW_RETENTION_SECONDS } from "../../../shared/aws/table.ts";
import { LAST_RETRY_MILLISECONDS } from "../../../shared/aws/timeouts.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";

const START = Date.UTC(2026, 10, 27);
const keyOf = (number: number) => ({ pk: "page", sk: String(number) });
const keys = (count: number) => Array.from({ length: count }, (_, index) => keyOf(index));

/** A table that answers each request for many rows with at most so many of them. */
function throttled(mostRows: (request: number) => number) {
  let now = START;
  const waits: number[] = [];
  const requests: number[] = [];
  const client = {
    send: async ({ input }: BatchGetItemCommand) => {
      const asked = input.RequestItems?.ledger?.Keys ?? [];
      requests.push(asked.length);
      const most = mostRows(requests.length);
      const left = asked.slice(most);
      return {
        Responses: { ledger: asked.slice(0, most) },
        UnprocessedKeys: left.length === 0 ? {} : { ledger: { Keys: left } },
      };
    },
  };
  const store = new DynamoDbStore(client as unknown as DynamoDBClient, "ledger", {
    now: () => now,
    random: () => 1,
    sleep: async (milliseconds) => {
      waits.push(milliseconds);
      now += milliseconds;
    },
  });
  return { store, waits, requests };
}

describe("rows that DynamoDB leaves unread because of throttling", () => {
  test("are asked for again after pauses that grow", async () => {
    const { store, waits, requests } = throttled((request) => (request <= 3 ? 1 : 100));
    expect((await store.getMany(keys(10))).size).toBe(10);
    expect(requests).toEqual([10, 9, 8, 7]);
    expect(waits).toEqual([50, 100, 200]);
  });

  test("end the read with an error before the time is over that an invocation reserves for a request", async () => {
    const { store, waits } = throttled(() => 0);
    await expect(store.getMany(keys(3))).rejects.toThrow(
      "DynamoDB throttles the table ledger: 3 of 3 rows could not be read in 6 s",
    );
    expect(Math.max(...waits)).toBe(1_000);
    const waited = waits.reduce((sum, each) => sum + each, 0);
    expect(waited).toBeLessThanOrEqual(LAST_RETRY_MILLISECONDS);
    expect(waited).toBeGreaterThan(LAST_RETRY_MILLISECONDS - 1_000);
  });

  test("cost no pause if there are none", async () => {
    const { store, waits, requests } = throttled(() => 100);
    expect((await store.getMany(keys(250))).size).toBe(250);
    expect(requests).toEqual([100, 100, 50]);
    expect(waits).toEqual([]);
  });
});

describe("the ledger's store in memory refuses what DynamoDB refuses:", () => {
  const store = new MemoryStore();
  const conditions = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ lacks: ["done", index] as const }));

  test("an expression of more than 4 KB", async () => {
    const remove = Array.from({ length: 1_000 }, (_, index) => `attribute ${index}`);
    await expect(store.update(keyOf(1), { remove })).rejects.toThrow(
      /an expression has \d+ bytes, but DynamoDB allows 4096/,
    );
    await store.update(keyOf(1), { remove: remove.slice(0, 500) });
  });

  test("an expression with more than 300 operators", async () => {
    // Each condition has NOT and contains, and an AND before the next one.
    await store.update(keyOf(1), { when: conditions(100) });
    await expect(store.update(keyOf(1), { when: conditions(101) })).rejects.toThrow(
      "an expression has 302 operators, but DynamoDB allows 300",
    );
  });
});

test("a row expires more than a year after its last write, so that a run can be paused for a year", async () => {
  const inputs: UpdateItemCommand["input"][] = [];
  const client = {
    config: {},
    send: async ({ input }: UpdateItemCommand) => {
      inputs.push(input);
      return {};
    },
  };
  const store = new DynamoDbStore(client as unknown as DynamoDBClient, "ledger", { now: () => START });
  await store.update(keyOf(0), { set: { name: "x" } });
  const values = Object.values(inputs[0]?.ExpressionAttributeValues ?? {}).map(({ N }) => N);
  // DynamoDB reads the time in seconds.
  // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
  expect(values).toContain(String(START / 1_000 + ROW_RETENTION_SECONDS));
  expect(ROW_RETENTION_SECONDS).toBeGreaterThan(366 * 86_400);
});
