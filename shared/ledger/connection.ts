import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { DynamoDbStore } from "../aws/dynamodb-table.ts";
import { Queue } from "../aws/queue.ts";
import type { LedgerStore } from "../aws/table.ts";
import { announceOn } from "./announce.ts";
import type { ItemLedger } from "./item-ledger.ts";
import { LimitRow } from "./limit-row.ts";
import type { Announce } from "./roll-up.ts";

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
export interface ConnectionWith<L extends ItemLedger> {
  readonly store: LedgerStore;
  readonly ledger: L;
  readonly runs: L["runs"];
  /** The limits of the workflow's fleet. */
  readonly limitRow: LimitRow;
  readonly queue: Queue;
  readonly deadLetterQueue: Queue;
  readonly controlQueue: Queue;
  readonly controlDeadLetterQueue: Queue;
}

/** The constructor of a ledger, as a function. */
export type LedgerOf<L> = (store: LedgerStore, now: () => number, announce: Announce) => L;

/**
 * Connects to the queues and the ledger of one workflow, and makes the ledger with `ledgerOf`. So the bundle of a consumer,
 * which needs a part of the ledger only, does not contain the rest. `connect` makes the whole ledger.
 */
export function connectWith<L extends ItemLedger>(
  { sqs, controlSqs = sqs, dynamoDb }: ConnectionClients,
  names: ConnectionNames,
  ledgerOf: LedgerOf<L>,
): ConnectionWith<L> {
  const store = new DynamoDbStore(dynamoDb, names.table);
  const controlQueue = new Queue(controlSqs, names.controlQueueUrl);
  const ledger = ledgerOf(store, Date.now, announceOn(controlQueue));
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
