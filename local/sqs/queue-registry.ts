import type { Database } from "./database.ts";
import {
  checkQueueAttributes,
  initialAttributes,
  initialFifoAttributes,
  normalized,
  parseRedrivePolicy,
  type QueueAttributes,
  type QueueSettings,
  settingsOf,
  withOneEncryption,
} from "./queue-attributes.ts";
import { SqsError } from "./sqs-error.ts";
import { checkQueueName } from "./sqs-limits.ts";
import { UnwrittenReceives } from "./unwritten-receives.ts";

const arnPrefix = "arn:aws:sqs:us-east-1:000000000000:";

/** A queue's ARN. */
export function queueArn(name: string): string {
  return arnPrefix + name;
}

/** The name of the queue of an ARN. `undefined` if it is not the ARN of a queue of this server. */
export function queueNameOfArn(arn: string): string | undefined {
  return arn.startsWith(arnPrefix) ? arn.slice(arnPrefix.length) : undefined;
}

/** A queue in memory. Its rows are in the database, and the counts here are only a cache of them. */
export interface Queue {
  readonly id: number;
  readonly name: string;
  readonly fifo: boolean;
  readonly createdAt: number;
  modifiedAt: number;
  attributes: QueueAttributes;
  settings: QueueSettings;
  /** The number of its messages, in any state. */
  total: number;
  /** An upper bound of the messages in flight. Receives raise it, and a count corrects it. */
  inFlightBound: number;
  /**
   * No message of the queue was sent before this time (ms). After expired messages were deleted, the time may be up to
   * one second too late: expired messages are looked for once a second.
   */
  sentSince: number;
  /** Its receives that are not written. A FIFO queue has none. */
  readonly receives: UnwrittenReceives;
}

interface QueueRow {
  readonly id: number;
  readonly name: string;
  readonly attributes: string;
  readonly created_at: number;
  readonly modified_at: number;
}

/** All queues, by name. */
export class QueueRegistry {
  readonly #database: Database;
  readonly #clock: () => number;
  readonly #byName = new Map<string, Queue>();

  constructor(database: Database, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
    for (const row of database.all<QueueRow>("SELECT * FROM queues ORDER BY name")) this.#remember(row);
  }

  /** @throws SqsError `QueueDoesNotExist`. */
  get(name: string): Queue {
    const queue = this.#byName.get(name);
    if (queue === undefined) throw new SqsError("QueueDoesNotExist", "The specified queue does not exist.");
    return queue;
  }

  find(name: string | undefined): Queue | undefined {
    return name === undefined ? undefined : this.#byName.get(name);
  }

  all(): Queue[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Creates a queue. A queue of the same name with the same attributes stays as it is. */
  create(name: string, given: QueueAttributes): Queue {
    const requested = normalized(given);
    const { FifoQueue: fifoQueue, ...settable } = requested;
    // AWS does not know the attribute for a standard queue, not even with the value "false".
    if (fifoQueue === "false") throw new SqsError("InvalidAttributeName", "Unknown Attribute FifoQueue.");
    if (fifoQueue !== undefined && fifoQueue !== "true") {
      throw new SqsError("InvalidAttributeValue", "FifoQueue can only be true. Omit it for a standard queue.");
    }
    const fifo = fifoQueue === "true";
    checkQueueName(name, fifo);
    this.#check(settable, fifo);
    const existing = this.#byName.get(name);
    if (existing !== undefined) {
      const differs = Object.entries(requested).find(([key, value]) => existing.attributes[key] !== value);
      if (differs === undefined) return existing;
      throw new SqsError(
        "QueueNameExists",
        `A queue already exists with the same name and a different value for attribute ${differs[0]}`,
      );
    }
    const initial = { ...initialAttributes, ...(fifo ? initialFifoAttributes : {}) };
    const attributes = withoutEmpty(withOneEncryption(initial, settable));
    const now = this.#clock();
    const row = this.#database.one<QueueRow>(
      "INSERT INTO queues (name, attributes, created_at, modified_at) VALUES (?, ?, ?, ?) RETURNING *",
      name,
      JSON.stringify(attributes),
      now,
      now,
    );
    return this.#remember(row);
  }

  /** Changes some attributes. An empty policy removes the policy. */
  setAttributes(queue: Queue, given: QueueAttributes): void {
    const { FifoQueue: fifoQueue, ...changes } = normalized(given);
    if (fifoQueue !== undefined && !queue.fifo) {
      throw new SqsError("InvalidAttributeName", "Unknown Attribute FifoQueue.");
    }
    if (fifoQueue !== undefined && fifoQueue !== "true") {
      throw new SqsError(
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
      );
    }
    this.#check(changes, queue.fifo);
    const attributes = withoutEmpty(withOneEncryption(queue.attributes, changes));
    const now = this.#clock();
    this.#database.run(
      "UPDATE queues SET attributes = ?, modified_at = ? WHERE id = ?",
      JSON.stringify(attributes),
      now,
      queue.id,
    );
    queue.attributes = attributes;
    queue.settings = settingsOf(attributes);
    queue.modifiedAt = now;
  }

  /** Deletes a queue and its messages. */
  delete(queue: Queue): void {
    this.#database.transaction(() => {
      for (const table of ["messages", "ordered_groups", "deduplication"]) {
        this.#database.run(`DELETE FROM ${table} WHERE queue = ?`, queue.id);
      }
      this.#database.run("DELETE FROM queues WHERE id = ?", queue.id);
    });
    this.#byName.delete(queue.name);
  }

  /** The queues that use this queue as their dead-letter queue. */
  sourcesOf(deadLetterQueue: Queue): Queue[] {
    const arn = queueArn(deadLetterQueue.name);
    return this.all().filter((queue) => queue.settings.redrive?.deadLetterTargetArn === arn);
  }

  /** Counts again after a transaction was undone, because the cached counts may include its changes. */
  recount(): void {
    for (const queue of this.#byName.values()) {
      queue.total = this.#count(queue.id);
      queue.sentSince = Number.NEGATIVE_INFINITY;
    }
  }

  #check(attributes: QueueAttributes, fifo: boolean): void {
    checkQueueAttributes(attributes, fifo);
    const policy = attributes.RedrivePolicy;
    if (policy === undefined || policy === "") return;
    const target = this.find(queueNameOfArn(parseRedrivePolicy(policy).deadLetterTargetArn));
    const refuse = (reason: string) =>
      new SqsError(
        "InvalidParameterValue",
        `Value ${policy} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
      );
    if (target === undefined) throw refuse("Dead letter target does not exist.");
    if (target.fifo !== fifo) {
      throw refuse("Dead-letter queue must be same type of queue as the source.");
    }
  }

  #remember(row: QueueRow): Queue {
    const attributes = JSON.parse(row.attributes) as QueueAttributes;
    const queue: Queue = {
      id: row.id,
      name: row.name,
      fifo: attributes.FifoQueue === "true",
      createdAt: row.created_at,
      modifiedAt: row.modified_at,
      attributes,
      settings: settingsOf(attributes),
      total: this.#count(row.id),
      inFlightBound: Number.POSITIVE_INFINITY,
      sentSince: Number.NEGATIVE_INFINITY,
      receives: new UnwrittenReceives(this.#database),
    };
    this.#byName.set(queue.name, queue);
    return queue;
  }

  #count(queueId: number): number {
    return this.#database.one<{ n: number }>("SELECT count(*) AS n FROM messages WHERE queue = ?", queueId).n;
  }
}

function withoutEmpty(attributes: QueueAttributes): QueueAttributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ""));
}
