import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalDynamoDb, startDynamoDb } from "../../../local/dynamodb/dynalite-server.ts";
import { dynamoDbScan } from "../../../shared/index.ts";
import { dynamoDbScanWith, scanSegments } from "../../../shared/sources/dynamodb-scan.ts";
import { itemsOf, pagesOf, readContext, restartable } from "../../unit/sources/reading.ts";

let server: LocalDynamoDb;
let client: DynamoDBClient;

/** 3,000 items of 1 KB: more than two responses. */
const ITEMS = Array.from({ length: 3_000 }, (_, index) => ({
  customer: `c${index % 97}`,
  order: BigInt(index) * 10n ** 20n + 1n,
  state: index % 100 === 0 ? "open" : "closed",
  text: "x".repeat(900),
}));

beforeAll(async () => {
  server = await startDynamoDb({ accessKeyId: "test" });
  // A source has the credentials and the endpoint that the SDK finds.
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", server.endpoint);
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  client = new DynamoDBClient();
  await client.send(
    new CreateTableCommand({
      TableName: "orders",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [
        { AttributeName: "customer", AttributeType: "S" },
        { AttributeName: "order", AttributeType: "N" },
        { AttributeName: "state", AttributeType: "S" },
      ],
      KeySchema: [
        { AttributeName: "customer", KeyType: "HASH" },
        { AttributeName: "order", KeyType: "RANGE" },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: "by-state",
          KeySchema: [{ AttributeName: "state", KeyType: "HASH" }],
          Projection: { ProjectionType: "KEYS_ONLY" },
        },
      ],
    }),
  );
  for (let begin = 0; begin < ITEMS.length; begin += 25) {
    const orders = ITEMS.slice(begin, begin + 25).map((item) => ({ PutRequest: { Item: marshall(item) } }));
    await client.send(new BatchWriteItemCommand({ RequestItems: { orders } }));
  }
});
afterAll(async () => {
  client.destroy();
  await server.close();
  vi.unstubAllEnvs();
});

type Order = (typeof ITEMS)[number];
const sorted = (orders: readonly unknown[]) => (orders as Order[]).map(({ order }) => String(order)).toSorted();
const expected = sorted(ITEMS);
const options = { table: "orders", unsafeNumbers: "bigint" } as const;

test("each item is read once, with its exact numbers", async () => {
  const items = await itemsOf(dynamoDbScan<Order>(options));
  expect(sorted(items)).toEqual(expected);
  expect(items).toContainEqual(ITEMS[2_999]);
});

test("each cursor continues with the next item, in the middle of a response too", async () => {
  const pages = await pagesOf(dynamoDbScan(options));
  expect(pages.length).toBeGreaterThanOrEqual(15);
  for (const at of [0, 3, 7, pages.length - 2]) {
    const rest = await itemsOf(dynamoDbScan(options), pages[at]?.next ?? undefined);
    expect(rest).toEqual(pages.slice(at + 1).flatMap(({ items }) => items));
  }
});

test("the size of a new table is not known", async () => {
  expect(await dynamoDbScan(options).size?.(readContext())).toBeUndefined();
});

test("a filter that holds for few items", async () => {
  const filter = { expression: "#s = :open", names: { "#s": "state" }, values: { ":open": "open" } };
  const pages = await restartable(() => dynamoDbScan({ ...options, unsafeNumbers: "text", filter, pageSize: 7 }));
  const found = pages.flatMap(({ items }) => items);
  expect(sorted(found)).toEqual(sorted(ITEMS.filter(({ state }) => state === "open")));
});

test("an index", async () => {
  // dynalite stores the items of an index under a hash, and loses one of two items with the same hash.
  const { Items = [] } = await client.send(new ScanCommand({ TableName: "orders", IndexName: "by-state" }));
  expect(Items.length).toBeGreaterThan(2_900);
  const items = await itemsOf(dynamoDbScan<Order>({ ...options, index: "by-state", pageSize: 150 }));
  expect(sorted(items)).toEqual(Items.map(({ order }) => String(order?.N)).toSorted());
  expect(items[0]).not.toHaveProperty("text");
});

test.each([1, 3, 8])("%d segments have each item once together, and each of them continues", async (count) => {
  const all: unknown[] = [];
  for (const segment of scanSegments(count)) {
    const source = () => dynamoDbScanWith(options, { segment, sleep: async () => undefined });
    const pages = await pagesOf(source());
    const items = pages.flatMap((page) => page.items);
    const [first] = pages;
    if (pages.length > 1) expect(await itemsOf(source(), first?.next ?? undefined)).toEqual(items.slice(200));
    all.push(...items);
  }
  expect(sorted(all)).toEqual(expected);
});

test("a table or an index that does not exist is named", async () => {
  await expect(itemsOf(dynamoDbScan({ table: "nowhere" }))).rejects.toMatchObject({
    permanent: true,
    message: expect.stringMatching(/^cannot scan the table nowhere: .*Correct the options table, index and region/),
  });
  await expect(itemsOf(dynamoDbScan({ table: "orders", index: "none" }))).rejects.toMatchObject({ permanent: true });
});
