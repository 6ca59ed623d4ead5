import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient, type WriteRequest } from "@aws-sdk/client-dynamodb";
import { vi } from "vitest";
import { startDynamoDb } from "../../local/dynamodb/dynalite-server.ts";

/** A BatchWriteItem has at most this many items: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html */
const BATCH = 25;
const WRITERS = 4;

/** A user's own DynamoDB table, whose key is the number `id`. */
export interface UserTable {
  readonly put: (items: readonly NonNullable<WriteRequest["PutRequest"]>["Item"][]) => Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a DynamoDB with a table, and names it to the SDK. The test must call `vi.unstubAllEnvs`. */
export async function userTable(name: string): Promise<UserTable> {
  const server = await startDynamoDb({ accessKeyId: "test" });
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", server.endpoint);
  const client = new DynamoDBClient();
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "N" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    }),
  );
  return {
    async put(items) {
      let next = 0;
      const write = async () => {
        while (next < items.length) {
          const batch = items.slice(next, next + BATCH);
          next += BATCH;
          const requests = batch.map((Item): WriteRequest => ({ PutRequest: { Item } }));
          await client.send(new BatchWriteItemCommand({ RequestItems: { [name]: requests } }));
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, write));
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await server.close();
    },
  };
}
