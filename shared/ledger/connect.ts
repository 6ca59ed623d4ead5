import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDbStore } from "../aws/dynamodb-table.ts";
import { Queue } from "../aws/queue.ts";
import type { LedgerStore } from "../aws/table.ts";
import { announceOn } from "./announce.ts";
import { Ledger } from "./ledger.ts";
import { LimitRow } from "./limit-row.ts";
import type { Runs } from "./runs.ts";

/** The AWS clients that a connection uses. */
export interface ConnectionClients {
  readonly sqs: SQSClient;
  /**
   * The client of the control queues. Default: `sqs`. With a separate client, a request to a control queue does not wait
   * behind the requests to the other queues.
   */
  readonly controlSqs?: SQSClient | undefined;
  readonly dynamoDb: DynamoDBClient;
}

/** The queues and the table of one workflow. */
export interface ConnectionNames {
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly controlQueueUrl: string;
  readonly controlDeadLetterQueueUrl: string;
  /** The name of the ledger's table. */
  readonly table: string;
}

/** The queues, the ledger and the runs of one workflow. */
export interface Connection {
  readonly store: LedgerStore;
  readonly ledger: Ledger;
  readonly runs: Runs;
  /** The limits of the workflow's fleet. */
  readonly limitRow: LimitRow;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly controlQueue: Queue;
  readonly controlDeadLetterQueue: Queue;
}

/**
 * Connects to the queues and the ledger of one workflow. The functions, the embedded engine and the commands all use this
 * function. It sends no request.
 *
 * The ledger of the connection announces the end of a run on the control queue, because any process can end a run: for
 * example a consumer that settles the last item, or a command that purges the last dead letter.
 *
 * @example const { runs } = connect({ sqs, dynamoDb }, readOutputs("cities", stackOutputs));
 */
export function connect({ sqs, controlSqs = sqs, dynamoDb }: ConnectionClients, names: ConnectionNames): Connection {
  const store = new DynamoDbStore(dynamoDb, names.table);
  const controlQueue = new Queue(controlSqs, names.controlQueueUrl);
  const ledger = new Ledger(store, Date.now, announceOn(controlQueue));
  return {
    store,
    ledger,
    runs: ledger.runs,
    limitRow: new LimitRow(store),
    queue: new Queue(sqs, names.queueUrl),
    deadLetterQueue: new Queue(sqs, names.deadLetterQueueUrl),
    controlQueue,
    controlDeadLetterQueue: new Queue(controlSqs, names.controlDeadLetterQueueUrl),
  };
}
