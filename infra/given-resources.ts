import { Stack, Token } from "aws-cdk-lib";
import { CfnTable, type ITable } from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { CfnQueue, type IQueue } from "aws-cdk-lib/aws-sqs";
import { EXPIRY_ATTRIBUTE, TABLE_KEYS } from "../shared/aws/table.ts";
import { ConfigurationError } from "../shared/base/errors.ts";
import { rejectUnknownKeys, show } from "../shared/base/options.ts";
import type { QueueTopology, Topology } from "../shared/definition/topology.ts";

/** A queue of the user: an `IQueue`. The types of the CDK are not exact about optional properties. */
export type GivenQueue = Omit<IQueue, "encryptionMasterKey" | "encryptionType"> & {
  readonly encryptionMasterKey?: IKey | undefined;
};

/** A table of the user: an `ITable`. */
export type GivenTable = Omit<ITable, "encryptionKey" | "tableStreamArn"> & {
  readonly encryptionKey?: IKey | undefined;
};

/**
 * Queues of yours for a workflow, in the region and the account of the stack. Each belongs to one workflow alone.
 *
 * What must hold of them is in `docs/guides/deploy.md`. `synth` checks it where the app itself creates the queues. Of a queue
 * that is imported, it can check only whether the queue is FIFO.
 */
export interface GivenQueues {
  /** The standard queue of the items. */
  readonly queue: GivenQueue;
  /** The standard queue of the dead letters. It is in the redrive policy of `queue`. */
  readonly deadLetterQueue: GivenQueue;
  /** The FIFO queue of the control messages. With a schedule, it must deduplicate by content. */
  readonly controlQueue: GivenQueue;
  /** The FIFO queue in the redrive policy of `controlQueue`. */
  readonly controlDeadLetterQueue: GivenQueue;
}

const QUEUES = ["queue", "deadLetterQueue", "controlQueue", "controlDeadLetterQueue"] as const;

type QueueName = (typeof QUEUES)[number];

/** The tables and queues of all workflows of the process. */
const taken = new WeakSet<object>();

/**
 * Checks the queues that a user gives.
 *
 * @throws {ConfigurationError} One is missing, is of the wrong kind, belongs to another workflow, or has a setting with which
 *   messages would be lost or run twice.
 */
export function checkGivenQueues(given: GivenQueues, topology: Topology, hasSchedule: boolean): void {
  rejectUnknownKeys(given, QUEUES, "queues");
  for (const name of QUEUES) {
    if (given[name] === undefined) {
      throw new ConfigurationError(
        `queues.${name} is missing: give all four queues, ${QUEUES.join(", ")}, or leave queues out and the construct creates them`,
      );
    }
    const isFifo = name.startsWith("control");
    const isImported = settingsOf(given[name]) === undefined;
    if (isFifo && !given[name].fifo && isImported && Token.isUnresolved(given[name].queueArn)) {
      throw new ConfigurationError(
        `queues.${name} must be a FIFO queue, and its ARN, which would show it, is known at the deployment only: import it with ` +
          "Queue.fromQueueAttributes(scope, id, { queueArn, fifo: true })",
      );
    }
    if (given[name].fifo !== isFifo) {
      throw new ConfigurationError(
        isFifo
          ? `queues.${name} must be a FIFO queue, because control messages have an order: create it with fifo: true`
          : `queues.${name} must be a standard queue, because items are delayed one by one: create it without fifo`,
      );
    }
    claim(given[name], `queues.${name}`);
  }
  checkQueue("queue", given, "deadLetterQueue", topology.queue);
  checkQueue("controlQueue", given, "controlDeadLetterQueue", topology.controlQueue);
  for (const name of ["deadLetterQueue", "controlDeadLetterQueue"] as const) {
    const settings = settingsOf(given[name]);
    if (settings === undefined) continue;
    const { retentionSeconds } = topology.deadLetterQueue;
    atLeast(`queues.${name}`, "retentionPeriod", settings.messageRetentionPeriod, retentionSeconds, DEFAULT_RETENTION);
  }
  checkRetention("queue", "deadLetterQueue", given, topology);
  checkRetention("controlQueue", "controlDeadLetterQueue", given, topology);
  const control = settingsOf(given.controlQueue);
  if (hasSchedule && control !== undefined && control.contentBasedDeduplication !== true) {
    throw new ConfigurationError(
      "queues.controlQueue must deduplicate by content, because the schedule sends no deduplication id: create it with " +
        "contentBasedDeduplication: true",
    );
  }
}

/**
 * How long a queue keeps messages that says nothing else: 4 days.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
 */
const DEFAULT_RETENTION = 345_600;

function checkQueue(name: QueueName, given: GivenQueues, deadLetters: QueueName, needs: QueueTopology): void {
  const settings = settingsOf(given[name]);
  if (settings === undefined) return;
  const where = `queues.${name}`;
  atLeast(where, "visibilityTimeout", settings.visibilityTimeout, needs.visibilityTimeoutSeconds, 30);
  atLeast(where, "retentionPeriod", settings.messageRetentionPeriod, needs.retentionSeconds, DEFAULT_RETENTION);
  const stack = Stack.of(given[name]);
  const { redrivePolicy } = settings;
  const { maxReceiveCount, deadLetterTargetArn } = (stack.resolve(redrivePolicy) ?? {}) as Readonly<
    Record<string, unknown>
  >;
  if (show(deadLetterTargetArn) !== show(stack.resolve(given[deadLetters].queueArn))) {
    throw new ConfigurationError(
      `${where} must move messages to queues.${deadLetters}: create it with deadLetterQueue: { queue: ${deadLetters}, ` +
        `maxReceiveCount: ${needs.maxReceiveCount} }`,
    );
  }
  atLeast(where, "deadLetterQueue.maxReceiveCount", maxReceiveCount as number, needs.maxReceiveCount, 0);
}

/** SQS does not reset the age of a message that it moves to the dead-letter queue. */
function checkRetention(name: QueueName, deadLetters: QueueName, given: GivenQueues, topology: Topology): void {
  const kept = settingsOf(given[name])?.messageRetentionPeriod;
  const { messageRetentionPeriod: keptDead = topology.deadLetterQueue.retentionSeconds } =
    settingsOf(given[deadLetters]) ?? {};
  if (kept === undefined || Token.isUnresolved(kept) || Token.isUnresolved(keptDead) || kept < keptDead) return;
  throw new ConfigurationError(
    `queues.${name} keeps messages for ${kept} s, and queues.${deadLetters} keeps them for ${keptDead} s: dead letters would ` +
      `vanish at once. Lower the retentionPeriod of ${name}`,
  );
}

function atLeast(where: string, setting: string, value: number | undefined, least: number, byDefault: number): void {
  const actual = value ?? byDefault;
  if (Token.isUnresolved(actual) || actual >= least) return;
  throw new ConfigurationError(
    `${where} must have a ${setting} of at least ${least}${setting.includes("Count") ? "" : " s"}, but has ${actual}: raise it`,
  );
}

/** The settings of a queue that the app creates. `undefined`: it is imported, so nobody knows them at synth. */
function settingsOf(queue: GivenQueue): CfnQueue | undefined {
  const { defaultChild } = queue.node;
  return defaultChild instanceof CfnQueue ? defaultChild : undefined;
}

/** The KMS keys of the queues that a user gives. */
export const keysOfQueues = (given: GivenQueues): readonly IKey[] => [
  ...new Set(QUEUES.flatMap((name) => given[name].encryptionMasterKey ?? [])),
];

/**
 * Checks the table that a user gives. Of a table that is imported, nothing is known at synth.
 *
 * @throws {ConfigurationError} It has other keys, no expiry of rows, or belongs to another workflow.
 */
export function checkGivenTable(table: GivenTable, deletionProtection: boolean): void {
  if (deletionProtection) {
    throw new ConfigurationError(
      "deletionProtection is for the table that the construct creates, but table is one of yours: remove deletionProtection, " +
        "and set it at your table",
    );
  }
  claim(table, "table");
  const { defaultChild } = table.node;
  if (!(defaultChild instanceof CfnTable)) return;
  const stack = Stack.of(table);
  const keys = stack.resolve(defaultChild.keySchema) as readonly { attributeName: string; keyType: string }[];
  const attributes = stack.resolve(defaultChild.attributeDefinitions) as readonly {
    attributeName: string;
    attributeType: string;
  }[];
  const { partition, sort } = TABLE_KEYS;
  const nameOf = (type: string) => keys.find(({ keyType }) => keyType === type)?.attributeName;
  const isText = (name: string) => attributes.some((each) => each.attributeName === name && each.attributeType === "S");
  if (nameOf("HASH") !== partition || nameOf("RANGE") !== sort || !isText(partition) || !isText(sort)) {
    throw new ConfigurationError(
      `table must have the partition key ${partition} and the sort key ${sort}, both of the type STRING, but has ${show(keys)}: ` +
        `create it with partitionKey: { name: "${partition}", type: AttributeType.STRING } and sortKey: { name: "${sort}", ... }`,
    );
  }
  const ttl = stack.resolve(defaultChild.timeToLiveSpecification) as { attributeName?: string } | undefined;
  if (ttl?.attributeName !== EXPIRY_ATTRIBUTE) {
    throw new ConfigurationError(
      `table must have the TTL attribute ${EXPIRY_ATTRIBUTE}, or old runs stay for ever: create it with ` +
        `timeToLiveAttribute: "${EXPIRY_ATTRIBUTE}"`,
    );
  }
}

/** @throws {ConfigurationError} A workflow uses the construct already. */
function claim(construct: object, name: string): void {
  if (taken.has(construct)) {
    throw new ConfigurationError(
      `${name} belongs to another workflow, or to another place of this one: give each workflow its own table and queues`,
    );
  }
  taken.add(construct);
}
