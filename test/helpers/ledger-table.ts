import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { createLedgerTable } from "../../local/dynamodb/create-table.ts";
import { startDynamoDb } from "../../local/dynamodb/dynalite-server.ts";
import { DynamoDbStore } from "../../shared/aws/dynamodb-table.ts";

export interface LedgerTable {
  readonly store: DynamoDbStore;
  close(): Promise<void>;
}

/** The ledger's table in a DynamoDB of its own, in memory. */
export async function openLedgerTable(): Promise<LedgerTable> {
  const server = await startDynamoDb({ accessKeyId: "test" });
  const client = new DynamoDBClient({
    region: "us-east-1",
    endpoint: server.endpoint,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  await createLedgerTable(client, "ledger");
  return {
    store: new DynamoDbStore(client, "ledger"),
    async close() {
      client.destroy();
      await server.close();
    },
  };
}
