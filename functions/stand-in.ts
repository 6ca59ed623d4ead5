import { Readable } from "node:stream";
import type { ClientConfig } from "./clients.ts";

const MESSAGES = 10;

const successful = { Successful: Array.from({ length: MESSAGES }, (_, index) => ({ Id: String(index) })), Failed: [] };

/** What SQS and DynamoDB answer, by the action that is asked for. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  SendMessageBatch: successful,
  ChangeMessageVisibilityBatch: successful,
  DeleteMessageBatch: successful,
  ReceiveMessage: {
    Messages: Array.from({ length: MESSAGES }, (_, index) => ({
      MessageId: String(index),
      ReceiptHandle: String(index),
      Body: "{}",
      Attributes: { ApproximateReceiveCount: "1" },
    })),
  },
  GetQueueAttributes: { Attributes: { ApproximateNumberOfMessages: "0" } },
  GetItem: { Item: { id: { S: "0" }, size: { N: "1" } } },
  UpdateItem: { Attributes: { id: { S: "0" }, size: { N: "1" }, done: { NS: ["0", "1"] }, ended: { BOOL: false } } },
};

/** Answers an SDK client's requests as AWS would, at once, without a network. */
export const STAND_IN = {
  async handle({ headers }: { readonly headers: Readonly<Record<string, string>> }) {
    const action = headers["x-amz-target"]?.split(".").at(-1) ?? "";
    const body = Readable.from([Buffer.from(JSON.stringify(ANSWERS[action] ?? {}))], { objectMode: false });
    return { response: { statusCode: 200, headers: { "content-type": "application/x-amz-json-1.0" }, body } };
  },
} as unknown as ClientConfig["requestHandler"];
