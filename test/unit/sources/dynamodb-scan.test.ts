import { DescribeTableCommand, DynamoDBClient, ScanCommand, type ScanCommandOutput } from "@aws-sdk/client-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigurationError, type Cursor, dynamoDbScan, Throttled, UnreadableItem } from "../../../shared/index.ts";
import { type DynamoDbScanOptions, dynamoDbScanWith, scanSegments } from "../../../shared/sources/dynamodb-scan.ts";
import { ReadRate } from "../../../shared/sources/read-rate.ts";
import { s3Error as dynamoDbError } from "../../helpers/fake-s3.ts";
import { seeds } from "../../helpers/seeds.ts";
import { itemsOf, pagesOf, readContext } from "./reading.ts";

const mock = mockClient(DynamoDBClient);
beforeEach(() => {
  mock.reset();
});
afterEach(() => {
  mock.reset();
});
// Other test files of this process send requests to DynamoDB.
afterAll(() => mock.restore());

type Answer = Partial<ScanCommandOutput>;
const id = (N: number) => ({ id: { N: String(N) } });
const answers = (...all: Answer[]) => {
  const scan = mock.on(ScanCommand);
  for (const answer of all) {
    scan.resolvesOnce({ ScannedCount: answer.Items?.length ?? 0, ...answer });
  }
};
const inputs = () => mock.calls().map(({ args: [{ input }] }) => input as Record<string, unknown>);
const scan = (options: Partial<DynamoDbScanOptions> = {}) => dynamoDbScan({ table: "customers", ...options });

describe("pages", () => {
  test("a response without items and with a key is not the end", async () => {
    answers({ Items: [], LastEvaluatedKey: id(1) }, { Items: [id(2)], LastEvaluatedKey: id(2) }, { Items: [] });
    expect(await pagesOf(scan())).toEqual([{ items: [{ id: 2 }] }]);
    expect(inputs().map(({ ExclusiveStartKey }) => ExclusiveStartKey)).toEqual([undefined, id(1), id(2)]);
  });

  test("a response is cut into pages, and each cursor is the key of the last item of its page", async () => {
    const Items = [1, 2, 3, 4, 5].map((number) => ({ ...id(number), name: { S: "x" } }));
    answers({ Items, LastEvaluatedKey: id(5) }, { Items: [] });
    const pages = await pagesOf(scan({ pageSize: 2 }));
    expect(pages.map(({ items, next }) => [items.length, next])).toEqual([
      [2, id(2)],
      [2, id(4)],
      [1, undefined],
    ]);
  });

  test("a table that is one response is asked for the names of its key, without the filter", async () => {
    answers({ Items: [id(1), id(2), id(3)] }, { Items: [id(1)], LastEvaluatedKey: id(1) });
    const pages = await pagesOf(scan({ pageSize: 2, filter: { expression: "attribute_exists(id)" } }));
    expect(pages).toEqual([{ items: [{ id: 1 }, { id: 2 }], next: id(2) }, { items: [{ id: 3 }] }]);
    expect(inputs()[1]).toMatchObject({ Limit: 1 });
    expect(inputs()[1]).not.toHaveProperty("FilterExpression");
  });

  test("a cursor holds keys of texts, numbers and bytes, and continues after them", async () => {
    const key = { a: { S: "ü" }, b: { N: "12345678901234567890" }, c: { B: Uint8Array.from([0, 255]) } };
    answers({ Items: [key], LastEvaluatedKey: key }, { Items: [key, key] }, { Items: [key], LastEvaluatedKey: key });
    const [first] = await pagesOf(scan({ pageSize: 1, unsafeNumbers: "text" }));
    expect(first?.next).toEqual({ a: { S: "ü" }, b: { N: "12345678901234567890" }, c: { B: "AP8=" } });
    mock.reset();
    answers({ Items: [] });
    await pagesOf(scan(), first?.next as Cursor);
    expect(inputs()[0]?.ExclusiveStartKey).toEqual({ ...key, c: { B: Buffer.from([0, 255]) } });
  });

  test("many responses without items do not keep a slice from its checkpoints", async () => {
    const empty = Array.from({ length: 21 }, (_, number) => ({ Items: [], LastEvaluatedKey: id(number) }));
    answers(...empty, { Items: [] });
    expect(await pagesOf(scan())).toEqual([{ items: [], next: id(19) }, { items: [] }]);
  });

  test("a page ends after four responses with items, which can have 4 MB", async () => {
    const few = Array.from({ length: 5 }, (_, number) => ({ Items: [id(number)], LastEvaluatedKey: id(number) }));
    answers(...few, { Items: [] });
    expect((await pagesOf(scan())).map(({ items, next }) => [items.length, next])).toEqual([
      [4, id(3)],
      [1, undefined],
    ]);
  });

  test("a response without its items is an error, and not the end", async () => {
    mock.on(ScanCommand).resolves({});
    await expect(itemsOf(scan())).rejects.toThrow("cannot scan the table customers: the response lacks Items");
  });

  test("a cursor of another source is refused", async () => {
    await expect(itemsOf(scan(), { id: { BOOL: true } })).rejects.toThrow("does not come from dynamoDbScan");
    await expect(itemsOf(scan(), 3)).rejects.toThrow("the cursor 3 does not come from dynamoDbScan");
  });

  test("the options become the request", async () => {
    answers({ Items: [] });
    const filter = { expression: "#n = :n", names: { "#n": "n" }, values: { ":n": 12345678901234567890n } };
    await itemsOf(scan({ table: () => "orders", index: "by-state", filter, consistentRead: true }));
    expect(inputs()).toEqual([
      {
        TableName: "orders",
        IndexName: "by-state",
        ConsistentRead: true,
        ReturnConsumedCapacity: "TOTAL",
        FilterExpression: "#n = :n",
        ExpressionAttributeNames: { "#n": "n" },
        ExpressionAttributeValues: { ":n": { N: "12345678901234567890" } },
      },
    ]);
  });
});

/** A table whose items are in the order of a hash, and whose responses hold few of them. */
function tableOf(keys: readonly number[], mostScanned: number): void {
  const hashOf = (key: number) => Math.imul(key + 1, 0x9e3779b1) >>> 0;
  const inOrder = keys.toSorted((left, right) => hashOf(left) - hashOf(right));
  mock.on(ScanCommand).callsFake(({ Segment = 0, TotalSegments = 1, ExclusiveStartKey, Limit = mostScanned }) => {
    // A skewed division: the first segment has half of the hashes.
    const segmentOf = (key: number) =>
      TotalSegments === 1 || hashOf(key) < 2 ** 31 ? 0 : 1 + (hashOf(key) % (TotalSegments - 1));
    const own = inOrder.filter((key) => segmentOf(key) === Segment);
    const begin = ExclusiveStartKey === undefined ? 0 : own.indexOf(Number(ExclusiveStartKey.id.N)) + 1;
    const read = own.slice(begin, begin + Math.min(Limit, mostScanned));
    const last = read.at(-1);
    const more = begin + read.length < own.length;
    return {
      Items: read.map((key) => id(key)),
      ScannedCount: read.length,
      ...((more || Limit === read.length) && last !== undefined && { LastEvaluatedKey: id(last) }),
    };
  });
}

test("any table, responses, pages and segments: the segments have exactly the items of the whole table, and continue", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(1_000), { maxLength: 30 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 8 }),
      async (keys, mostScanned, pageSize, count) => {
        mock.resetHistory();
        tableOf(keys, mostScanned);
        const read: unknown[] = [];
        for (const segment of scanSegments(count)) {
          const source = () =>
            dynamoDbScanWith({ table: "customers", pageSize }, { segment, sleep: async () => undefined });
          const pages = await pagesOf(source());
          read.push(...pages.flatMap(({ items }) => items));
          // Only where the pages are divided may a walk from a cursor differ: not in its items.
          const at = pages.length >> 1;
          const { next } = pages[at] ?? {};
          const rest = pages.slice(at + 1).flatMap(({ items }) => items);
          if (next !== undefined && next !== null) expect(await itemsOf(source(), next)).toEqual(rest);
        }
        const ids = read.map((item) => (item as { readonly id: number }).id);
        expect(ids.toSorted((left, right) => left - right)).toEqual(keys.toSorted((left, right) => left - right));
        expect(await itemsOf(scan({ pageSize }))).toHaveLength(keys.length);
      },
    ),
    { numRuns: seeds(40) },
  );
});

describe("the size", () => {
  const described = {
    ItemCount: 5_000,
    GlobalSecondaryIndexes: [{ IndexName: "by-state", ItemCount: 70 }],
  };

  test.each([
    ["of a table is DynamoDB's own estimate", {}, { items: 5_000, isExact: false }],
    ["of an index, too", { index: "by-state" }, { items: 70, isExact: false }],
    ["of an index that does not exist is not known", { index: "by-name" }, undefined],
    ["is not known with a filter", { filter: { expression: "attribute_exists(a)" } }, undefined],
  ])("%s", async (_, options, expected) => {
    mock.on(DescribeTableCommand).resolves({ Table: described });
    expect(await scan(options).size?.(readContext())).toEqual(expected);
  });
});

describe("values", () => {
  const everything = {
    text: { S: "ü😀" },
    empty: { S: "" },
    whole: { N: "42" },
    fraction: { N: "-0.5" },
    exponent: { N: "1E+2" },
    yes: { BOOL: false },
    nothing: { NULL: true },
    list: { L: [{ S: "a" }, { L: [] }, { NULL: true }] },
    map: { M: { __proto__x: { N: "1" }, deep: { M: {} } } },
    bytes: { B: Uint8Array.from([1, 2]) },
    texts: { SS: ["b", "a"] },
    numbers: { NS: ["2", "1"] },
    byteses: { BS: [Uint8Array.from([3])] },
  };

  test("plain items are JSON: sets are lists, and bytes are base64 text", async () => {
    answers({ Items: [everything] });
    expect(await itemsOf(scan())).toEqual([
      {
        text: "ü😀",
        empty: "",
        whole: 42,
        fraction: -0.5,
        exponent: 100,
        yes: false,
        nothing: null,
        list: ["a", [], null],
        map: { __proto__x: 1, deep: {} },
        bytes: "AQI=",
        texts: ["b", "a"],
        numbers: [2, 1],
        byteses: ["Aw=="],
      },
    ]);
  });

  test("DynamoDB's own JSON keeps each value with its type", async () => {
    answers({ Items: [everything] });
    const [item] = await itemsOf(scan({ values: "dynamodb" }));
    expect(item).toEqual({ ...everything, bytes: { B: "AQI=" }, byteses: { BS: ["Aw=="] } });
  });

  test("an attribute called __proto__ stays an attribute", async () => {
    answers({ Items: [JSON.parse('{"__proto__":{"S":"x"},"constructor":{"S":"y"}}')] });
    const [item] = await itemsOf(scan());
    expect(JSON.stringify(item)).toBe('{"__proto__":"x","constructor":"y"}');
  });

  test.each(["12345678901234567", "0.12345678901234567890123456789", "1.2345678901234567891E+50"])(
    "the number %s is never rounded: it is refused with its attribute, or kept as text",
    async (N) => {
      const Items = [{ id: { N: "1" }, deep: { M: { amounts: { L: [{ N }] } } } }];
      answers({ Items }, { Items });
      const [refused] = await itemsOf(scan());
      expect(refused).toBeInstanceOf(UnreadableItem);
      expect(refused).toMatchObject({ error: expect.stringContaining(`deep.amounts[0]: the value is ${N}`) });
      expect((refused as unknown as UnreadableItem).raw).toContain(N);
      expect(await itemsOf(scan({ unsafeNumbers: "text" }))).toEqual([{ id: 1, deep: { amounts: [N] } }]);
    },
  );

  test("an integer can be a bigint, also in a set", async () => {
    answers({
      Items: [{ n: { N: "-12345678901234567890123456789012345678" }, s: { NS: ["12345678901234567", "1"] } }],
    });
    expect(await itemsOf(scan({ unsafeNumbers: "bigint" }))).toEqual([
      { n: -12345678901234567890123456789012345678n, s: [12345678901234567n, 1] },
    ]);
  });

  test("a type that is unknown is a dead letter and not dropped", async () => {
    mock.on(ScanCommand).resolves({ ScannedCount: 1, Items: [{ id: { N: "1" }, odd: { X: "y" } as never }] });
    expect(await itemsOf(scan())).toEqual([
      expect.objectContaining({ error: expect.stringContaining("odd has a type") }),
    ]);
  });
});

describe("read capacity", () => {
  test("requests are as large as a second of the rate allows, with pauses for what was consumed", async () => {
    const pauses: number[] = [];
    const sleep = async (milliseconds: number) => void pauses.push(milliseconds);
    answers(
      { Items: [id(1)], ScannedCount: 10, ConsumedCapacity: { CapacityUnits: 5 }, LastEvaluatedKey: id(1) },
      { Items: [id(2)], ScannedCount: 20, ConsumedCapacity: { CapacityUnits: 40 } },
    );
    await itemsOf(dynamoDbScanWith({ table: "customers", readUnitsPerSecond: 10 }, { sleep }));
    // 5 units for 10 items: a second allows 20 items.
    expect(inputs().map(({ Limit }) => Limit)).toEqual([10, 20]);
    expect(pauses).toEqual([500, 4_000]);
  });

  test("without a rate, a request reads as much as DynamoDB gives", async () => {
    answers({ Items: [] });
    await itemsOf(scan());
    expect(inputs()[0]).not.toHaveProperty("Limit");
  });

  test("a run that is stopped during a pause stops at once", async () => {
    const reason = new Error("the slice ends");
    const stop = new AbortController();
    answers({ Items: [id(1)], ConsumedCapacity: { CapacityUnits: 5 } });
    const sleep = async () => {
      stop.abort(reason);
      throw new Error("aborted");
    };
    const source = dynamoDbScanWith({ table: "customers", readUnitsPerSecond: 1 }, { sleep });
    await expect(pagesOf(source, undefined, stop.signal)).rejects.toBe(reason);
  });

  test("an item that costs more than the rate is read alone", () => {
    const rate = new ReadRate(2);
    expect(rate.consumed(50, 1)).toBe(20_000);
    expect(rate.limit()).toBe(1);
    // The request was worth 25 s.
    expect(rate.consumed(0, 0)).toBe(5_000);
    expect(new ReadRate(0.5).limit()).toBe(1);
  });
});

describe("refusals", () => {
  test.each(["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"])(
    "%s is a wait of the run",
    async (name) => {
      mock.on(ScanCommand).rejects(dynamoDbError(name, "slow down"));
      await expect(itemsOf(scan())).rejects.toBeInstanceOf(Throttled);
    },
  );

  test.each(["ResourceNotFoundException", "ValidationException"])("%s fails the run at once", async (name) => {
    mock.on(ScanCommand).rejects(dynamoDbError(name));
    await expect(itemsOf(scan({ index: "by-state" }))).rejects.toMatchObject({
      permanent: true,
      message: expect.stringMatching(
        /^cannot scan the index by-state of the table customers: .*Correct the options table/,
      ),
    });
  });

  test("credentials without the right are named with the right", async () => {
    mock.on(ScanCommand).rejects(dynamoDbError("AccessDeniedException", "not authorized"));
    await expect(itemsOf(scan())).rejects.toThrow(/they need dynamodb:Scan on table\/customers/);
  });
});

describe("segments", () => {
  const read = async (source: ReturnType<typeof scan>, partition: { readonly id: string }, cursor?: Cursor) => {
    const items: unknown[] = [];
    for await (const page of source.pages(cursor, { ...readContext(), partition })) items.push(...page.items);
    return items;
  };

  test("are partitions, each with its own requests", async () => {
    const source = scan({ segments: 3 });
    const partitions = (await source.partitions?.(readContext())) ?? [];
    expect(partitions).toEqual([0, 1, 2].map((segment) => ({ id: `segment ${segment} of 3` })));
    answers({ Items: [id(0)] }, { Items: [id(1)] }, { Items: [id(2)] });
    const all = [];
    for (const partition of partitions) all.push(...(await read(source, partition)));
    expect(all).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }]);
    expect(inputs().map(({ Segment, TotalSegments }) => [Segment, TotalSegments])).toEqual([
      [0, 3],
      [1, 3],
      [2, 3],
    ]);
  });

  test("keep the number of segments with which the run began, after a deploy", async () => {
    answers({ Items: [id(9)] });
    await read(scan({ segments: 8 }), { id: "segment 1 of 3" }, id(4));
    expect(inputs()).toMatchObject([{ Segment: 1, TotalSegments: 3, ExclusiveStartKey: id(4) }]);
  });

  test("are not used by a scan of one segment, and by tests that read the source as one part", async () => {
    expect(scan().partitions).toBeUndefined();
    expect(scan({ segments: 1 }).partitions).toBeUndefined();
    answers({ Items: [id(1)] });
    await itemsOf(scan({ segments: 4 }));
    expect(inputs()[0]).not.toHaveProperty("Segment");
  });

  test("of another source are an error", async () => {
    await expect(read(scan({ segments: 2 }), { id: "b" })).rejects.toThrow(
      'the partition "b" does not come from dynamoDbScan',
    );
  });
});

describe("options", () => {
  test.each([
    [{ table: "ab" }, /table must be a name of 3 to 255 characters/],
    [{ table: "arn:aws:dynamodb:eu-central-1:1:table/x" }, /and no ARN/],
    [{ table: "customers", index: "a b" }, /index must be a name/],
    [{ table: "customers", values: "raw" }, /values must be "plain" or "dynamodb"/],
    [{ table: "customers", consistentRead: 1 }, /consistentRead must be true or false/],
    [{ table: "customers", readUnitsPerSecond: 0 }, /readUnitsPerSecond must be a number above 0/],
    [{ table: "customers", readUnitsPerSecond: Number.NaN }, /readUnitsPerSecond must be/],
    [{ table: "customers", unsafeNumbers: "round" }, /unsafeNumbers must be/],
    [{ table: "customers", filter: { expression: "" } }, /filter.expression must be/],
    [{ table: "customers", filter: { expression: "a", value: {} } }, /filter has the unknown option "value"/],
    [{ table: "customers", filter: { expression: "a = :a", values: { ":a": 2 ** 60 } } }, /Use a bigint/],
    [{ table: "customers", segments: 0 }, /segments must be/],
    [{ table: "customers", segments: 10_001 }, /segments must be/],
    [{ table: "customers", pageSize: 0 }, /pageSize must be/],
  ])("%j is refused", (options, message) => {
    expect(() => dynamoDbScan(options as never)).toThrow(ConfigurationError);
    expect(() => dynamoDbScan(options as never)).toThrow(message);
  });

  test("the right is to scan exactly the table, or exactly the index", async () => {
    const resource = (name: string, region = {}) => ({ service: "dynamodb", ...region, resource: name });
    expect(scan().rights?.({})).toEqual([{ actions: ["dynamodb:Scan"], resources: [resource("table/customers")] }]);
    const other = scan({ table: ({ T = "" }) => T, index: "by-state", region: "eu-central-1" });
    expect(other.rights?.({ T: "orders" })).toEqual([
      {
        actions: ["dynamodb:Scan"],
        resources: [resource("table/orders/index/by-state", { region: "eu-central-1" })],
      },
    ]);
    expect(() => other.rights?.({})).toThrow("the function table returned");
  });
});
