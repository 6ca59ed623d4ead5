import { DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import { DeleteMessageCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Line } from "./journal.ts";
import type { Plan } from "./plan.ts";
import type { Endpoints } from "./protocol.ts";
import type { Objects } from "./result-checker.ts";

/** Everything that is known of a run: rows, dead letters, and what its processes and the harness wrote down. */
export interface Evidence {
  readonly plan: Plan;
  readonly lines: readonly Line[];
  /** For each process that has died, by its id, when it was last seen alive. */
  readonly lastSeen: ReadonlyMap<number, number>;
  /** The rows of the ledger's table, as they are stored. */
  readonly rows: readonly Row[];
  /** The bodies of the messages in the dead-letter queue. */
  readonly deadLetters: readonly string[];
  readonly controlDeadLetters: readonly string[];
  /** The objects with the run's results. Absent if the run keeps none. */
  readonly objects?: Objects | undefined;
  /** Each change of the run's status and end that the harness saw. */
  readonly history: readonly { readonly status: string; readonly completedAt: string | undefined }[];
  /** When each pause began, and when it ended. */
  readonly pauses: readonly { readonly from: number; readonly to: number }[];
  readonly cancelled: boolean;
  /** When a producer was killed. */
  readonly producerKills: readonly number[];
}

export type Row = Readonly<Record<string, unknown>>;

/** Reads rows and dead letters with the services' own API. It removes the dead letters from their queues. */
export async function readServices(
  endpoints: Endpoints,
): Promise<Pick<Evidence, "rows" | "deadLetters" | "controlDeadLetters">> {
  const { accessKeyId } = endpoints;
  // Requests to SQS may still fail at random. A connection that a fault closes is `TimeoutError: socket hang up` to the SDK.
  const client = { region: "us-east-1", credentials: { accessKeyId, secretAccessKey: "local" }, maxAttempts: 15 };
  const dynamoDb = new DynamoDBClient({ ...client, endpoint: endpoints.dynamoDb });
  const sqs = new SQSClient({ ...client, endpoint: endpoints.sqs });
  try {
    const rows: Row[] = [];
    const input = { TableName: endpoints.table, ConsistentRead: true };
    for await (const { Items = [] } of paginateScan({ client: dynamoDb }, input)) {
      rows.push(...Items.map((item) => unmarshall(item)));
    }
    return {
      rows,
      deadLetters: await drain(sqs, endpoints.deadLetterQueueUrl),
      controlDeadLetters: await drain(sqs, endpoints.controlDeadLetterQueueUrl),
    };
  } finally {
    sqs.destroy();
    dynamoDb.destroy();
  }
}

/** Longer than the queues' visibility timeout. */
const LONGEST_HIDDEN_MILLISECONDS = 90_000;

async function drain(sqs: SQSClient, url: string): Promise<readonly string[]> {
  const bodies: string[] = [];
  const giveUpAt = Date.now() + LONGEST_HIDDEN_MILLISECONDS;
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1 }),
    );
    // The response of an earlier receive may be lost. Its messages are hidden for a while.
    const hides = Messages.length === 0 && Date.now() < giveUpAt && (await hidesMessages(sqs, url));
    if (Messages.length === 0 && !hides) return bodies;
    for (const { Body = "", ReceiptHandle = "" } of Messages) {
      bodies.push(Body);
      await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
    }
  }
}

async function hidesMessages(sqs: SQSClient, url: string): Promise<boolean> {
  const hidden = "ApproximateNumberOfMessagesNotVisible";
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [hidden] }));
  return Attributes?.[hidden] !== "0";
}
