import { Readable } from "node:stream";
import { LARGEST_BATCH, MOST_RECEIVED_MESSAGES } from "../shared/aws/quotas.ts";
import type { ClientConfig } from "./clients.ts";

const successful = {
  Successful: Array.from({ length: LARGEST_BATCH.entries }, (_, index) => ({ Id: String(index) })),
  Failed: [],
};

/** A response body of SQS or DynamoDB for each action. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  SendMessageBatch: successful,
  ChangeMessageVisibilityBatch: successful,
  DeleteMessageBatch: successful,
  ReceiveMessage: {
    Messages: Array.from({ length: MOST_RECEIVED_MESSAGES }, (_, index) => ({
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

/**
 * A request handler for clients of the AWS SDK. It answers each request to SQS and DynamoDB at once with a fixed
 * response, without the network. The warm-up uses it.
 *
 * @example new SQSClient({ requestHandler: FAKE_AWS })
 */
export const FAKE_AWS = {
  async handle({ headers }: { readonly headers: Readonly<Record<string, string>> }) {
    const action = headers["x-amz-target"]?.split(".").at(-1) ?? "";
    const body = Readable.from([Buffer.from(JSON.stringify(ANSWERS[action] ?? {}))], { objectMode: false });
    return { response: { statusCode: 200, headers: { "content-type": "application/x-amz-json-1.0" }, body } };
  },
} as unknown as ClientConfig["requestHandler"];
