import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { expect, test, vi } from "vitest";
import { Queue } from "../../../shared/aws/queue.ts";
import { announceOn } from "../../../shared/ledger/announce.ts";
import { connect } from "../../../shared/ledger/connect.ts";

const NAMES = {
  queueUrl: "https://sqs/queue",
  deadLetterQueueUrl: "https://sqs/dead",
  controlQueueUrl: "https://sqs/control",
  controlDeadLetterQueueUrl: "https://sqs/control-dead",
  table: "ledger",
};

test("the end of a run is announced in a message that the control queue accepts once", async () => {
  const sendControl = vi.fn(async () => {});
  await announceOn({ sendControl })({ run: "r", workflow: "w" });
  expect(sendControl).toHaveBeenCalledExactlyOnceWith({
    body: JSON.stringify({ sluice: 1, type: "complete", run: "r", workflow: "w" }),
    group: "complete-r",
    deduplicationId: "complete-r",
  });
});

test("a connection has the queues and the ledger of its workflow, and sends no request", () => {
  const options = { region: "eu-central-1", credentials: { accessKeyId: "x", secretAccessKey: "x" } };
  const sqs = new SQSClient(options);
  const dynamoDb = new DynamoDBClient(options);
  const send = [vi.spyOn(sqs, "send"), vi.spyOn(dynamoDb, "send")];
  const { store, ledger, runs, limitRow, ...queues } = connect({ sqs, dynamoDb }, NAMES);
  expect(Object.keys(queues).sort()).toEqual(["controlDeadLetterQueue", "controlQueue", "deadLetterQueue", "queue"]);
  for (const queue of Object.values(queues)) expect(queue).toBeInstanceOf(Queue);
  expect(runs).toBe(ledger.runs);
  expect(store).toBeDefined();
  expect(limitRow).toBeDefined();
  for (const each of send) expect(each).not.toHaveBeenCalled();
});
