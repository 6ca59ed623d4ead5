import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateQueueCommand, ListQueuesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";
import { createLedgerTable } from "../../local/dynamodb/create-table.ts";
import { startDynamoDb } from "../../local/dynamodb/dynalite-server.ts";
import { startSqsServer } from "../../local/sqs/http-server.ts";
import { Faults } from "../../local/sqs/injected-faults.ts";
import { readServices } from "./evidence.ts";

const ACCESS_KEY_ID = "chaos";

test("The harness reads all dead letters, although SQS closes the connections of most requests", async () => {
  const dynamoDb = await startDynamoDb({ accessKeyId: ACCESS_KEY_ID });
  const faults = new Faults({ seed: 1, timeoutMs: 1 });
  const sqs = await startSqsServer({ file: ":memory:", accessKeyId: ACCESS_KEY_ID, faults });
  const client = { region: "us-east-1", credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: "local" } };
  const tables = new DynamoDBClient({ ...client, endpoint: dynamoDb.endpoint });
  const queues = new SQSClient({ ...client, endpoint: sqs.endpoint, maxAttempts: 1 });
  try {
    await createLedgerTable(tables, "ledger");
    const urls = [];
    for (const QueueName of ["dead-letters", "control-dead-letters"]) {
      const { QueueUrl = "" } = await queues.send(new CreateQueueCommand({ QueueName }));
      await queues.send(new SendMessageCommand({ QueueUrl, MessageBody: `a message of ${QueueName}` }));
      urls.push(QueueUrl);
    }
    const [deadLetterQueueUrl = "", controlDeadLetterQueueUrl = ""] = urls;
    faults.set({ timeout: 1 });
    await expect(queues.send(new ListQueuesCommand({}))).rejects.toThrow("socket hang up");
    faults.set({ timeout: 0.5 });
    const evidence = await readServices({
      deadLetterQueueUrl,
      controlDeadLetterQueueUrl,
      sqs: sqs.endpoint,
      dynamoDb: dynamoDb.endpoint,
      accessKeyId: ACCESS_KEY_ID,
      table: "ledger",
    });
    expect(evidence).toEqual({
      rows: [],
      deadLetters: ["a message of dead-letters"],
      controlDeadLetters: ["a message of control-dead-letters"],
    });
  } finally {
    queues.destroy();
    tables.destroy();
    await sqs.close();
    await dynamoDb.close();
  }
});
