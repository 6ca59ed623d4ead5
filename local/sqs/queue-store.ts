import type { AwsBehaviour } from "./aws-behaviour.ts";
import { Database } from "./database.ts";
import { changeVisibility, deleteMessages, undoReceive } from "./in-flight-messages.ts";
import { Faults } from "./injected-faults.ts";
import { LaggingCounts } from "./lagging-counts.ts";
import { refreshGroupsOf } from "./message-groups.ts";
import { MoveTasks } from "./move-tasks.ts";
import type { QueueAttributes, QueueSettings } from "./queue-attributes.ts";
import { type Queue, QueueRegistry, queueArn } from "./queue-registry.ts";
import { addTags, type QueueTags, removeTags, tagsOf } from "./queue-tags.ts";
import { checkInFlight, type ReceivedMessage, type ReceiveOptions, receive } from "./receive-messages.ts";
import { nextReturnAt } from "./returning-messages.ts";
import { checkOrderedBatch, type OutgoingMessage, type SentMessage, send } from "./send-message.ts";
import { type Outcome, outcomeOf } from "./sqs-error.ts";
import type { StoreContext } from "./store-context.ts";
import type { Place } from "./unwritten-receives.ts";
import { countInvisible, countReceivable, nextReceivableAt } from "./visible-messages.ts";
import { Waiters } from "./waiters.ts";

/** The exact numbers of the messages of a queue. */
export interface QueueCounts {
  /** Visible messages. On a FIFO queue this includes messages of blocked groups. */
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** How long to wait for messages. */
export interface WaitOptions {
  /** In milliseconds of real time, whatever the store's clock says. */
  readonly timeoutMs: number;
  /** Ends the wait early, without an error. */
  readonly signal?: AbortSignal;
}

/** Options of a store. */
export interface QueueStoreOptions {
  /** The SQLite file, or `:memory:`. */
  readonly file: string;
  /** Returns milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: () => number;
  /** Faults of deliveries. Default: none. */
  readonly faults?: Faults;
  /** Memory for pages of the file, in MiB. Default: 64. */
  readonly cacheMegabytes?: number | undefined;
  /** What the store does as AWS does, in addition to what it always does. Default: nothing. */
  readonly awsBehaviour?: AwsBehaviour | undefined;
}

/** From how many visible messages a receive picks, if the order is random. */
const RANDOM_WINDOW = 1_000;

/**
 * The queues and their messages, in one SQLite file that survives SIGKILL. Receives under way end with the process.
 * A queue is identified by its name. Methods are synchronous and atomic. A refusal is an `SqsError` with AWS's code, for
 * example `QueueDoesNotExist` for an unknown queue.
 *
 * @example
 * const store = new QueueStore({ file: ":memory:" });
 * store.createQueue("tasks", { VisibilityTimeout: "60" });
 * store.send("tasks", { body: "hello" });
 * const [message] = store.receive({ queue: "tasks", max: 1 });
 * if (message) store.deleteMessage("tasks", message.receiptHandle);
 */
export class QueueStore {
  readonly #database: Database;
  readonly #queues: QueueRegistry;
  readonly #waiters: Waiters;
  readonly #context: StoreContext;
  readonly #moveTasks: MoveTasks;
  readonly #waiting = new Set<() => void>();
  readonly #suspended = new Set<string>();
  readonly #laggingCounts: LaggingCounts;
  #closed = false;

  constructor(options: QueueStoreOptions) {
    const clock = options.clock ?? Date.now;
    this.#database = new Database(options.file, options.cacheMegabytes);
    this.#queues = new QueueRegistry(this.#database, clock);
    this.#waiters = new Waiters({
      clock,
      receivable: (queue, limit) => countReceivable(this.#context, queue, limit),
      nextAt: (queue, after) => nextReceivableAt(this.#context, queue, after),
    });
    this.#context = {
      clock,
      database: this.#database,
      queues: this.#queues,
      faults: options.faults ?? new Faults({ seed: 0 }),
      randomWindow: options.awsBehaviour?.randomOrder === true ? RANDOM_WINDOW : undefined,
      changed: (queue) => this.#waiters.changed(queue),
    };
    this.#moveTasks = new MoveTasks(this.#context);
    this.#laggingCounts = new LaggingCounts(options.awsBehaviour?.countsLagMilliseconds ?? 0, clock);
  }

  /**
   * Creates a queue with attributes of SQS, such as `VisibilityTimeout`, `RedrivePolicy` and `FifoQueue`. A queue that
   * exists with the same values stays as it is.
   *
   * @throws SqsError `QueueNameExists`, `InvalidAttributeName`, `InvalidAttributeValue`, `InvalidParameterValue`.
   */
  createQueue(name: string, attributes: QueueAttributes = {}): void {
    this.#queues.create(name, attributes);
  }

  /** Deletes a queue and its messages. */
  deleteQueue(name: string): void {
    this.#queues.delete(this.#queues.get(name));
  }

  /** Whether the queue exists. */
  hasQueue(name: string): boolean {
    return this.#queues.find(name) !== undefined;
  }

  /** The names of all queues, sorted. */
  queueNames(): string[] {
    return this.#queues.all().map((queue) => queue.name);
  }

  /** The settings of a queue. */
  settings(name: string): QueueSettings {
    return this.#queues.get(name).settings;
  }

  /** All attributes that `GetQueueAttributes` returns, with counts, and times in seconds. */
  attributes(name: string): QueueAttributes {
    const queue = this.#queues.get(name);
    const counts = this.#laggingCounts.of(name, () => this.counts(name));
    return {
      ...queue.attributes,
      QueueArn: queueArn(name),
      CreatedTimestamp: String(Math.floor(queue.createdAt / 1_000)),
      LastModifiedTimestamp: String(Math.floor(queue.modifiedAt / 1_000)),
      ApproximateNumberOfMessages: String(counts.visible),
      ApproximateNumberOfMessagesNotVisible: String(counts.inFlight),
      ApproximateNumberOfMessagesDelayed: String(counts.delayed),
    };
  }

  /** Changes attributes, for messages that are sent or received from now on. An empty policy removes the policy. */
  setAttributes(name: string, changes: QueueAttributes): void {
    this.#queues.setAttributes(this.#queues.get(name), changes);
  }

  /** The tags of a queue. */
  tags(name: string): QueueTags {
    return tagsOf(this.#database, this.#queues.get(name));
  }

  /** Adds tags to a queue, or changes their values. */
  addTags(name: string, tags: QueueTags): void {
    addTags(this.#database, this.#queues.get(name), tags);
  }

  /** Removes tags from a queue. */
  removeTags(name: string, keys: readonly string[]): void {
    removeTags(this.#database, this.#queues.get(name), keys);
  }

  /** Counts the messages of a queue. The cost grows with the number of messages that are delayed or in flight. */
  counts(name: string): QueueCounts {
    const queue = this.#fresh(name);
    const { inFlight, delayed } = countInvisible(this.#context, queue, this.#context.clock());
    return { visible: queue.total - inFlight - delayed, inFlight, delayed };
  }

  /** When the next invisible message becomes visible, in milliseconds since 1970. `undefined` if all are visible. */
  nextVisibleAt(name: string): number | undefined {
    return nextReceivableAt(this.#context, this.#queues.get(name), this.#context.clock());
  }

  /** Like `nextVisibleAt`, without the messages that a consumer may be working on: see `nextReturnAt`. */
  nextReturnAt(name: string, workingSeconds: number): number | undefined {
    return nextReturnAt(this.#context, this.#queues.get(name), this.#context.clock(), workingSeconds);
  }

  /** Sends one message. @throws SqsError `InvalidMessageContents`, `InvalidParameterValue`, `MissingParameter`. */
  send(name: string, message: OutgoingMessage): SentMessage {
    return send(this.#context, this.#queues.get(name), message);
  }

  /**
   * Sends any number of messages in one transaction. The outcome of each tells whether SQS would refuse it.
   *
   * @throws SqsError `InvalidParameterValue`: a message for a FIFO queue has no group or no deduplication id.
   */
  sendBatch(name: string, messages: readonly OutgoingMessage[]): Outcome<SentMessage>[] {
    const queue = this.#queues.get(name);
    checkOrderedBatch(queue, messages);
    return this.#transaction(() => messages.map((message) => outcomeOf(() => send(this.#context, queue, message))));
  }

  /** Delivers no more messages of a queue until the store is opened again. */
  suspend(name: string): void {
    this.#suspended.add(name);
  }

  /** Receives up to `max` messages that are visible now, without waiting. */
  receive(options: ReceiveOptions): ReceivedMessage[] {
    if (this.#suspended.has(options.queue)) return [];
    const queue = this.#fresh(options.queue);
    return this.#transaction(() => receive(this.#context, queue, options));
  }

  /**
   * Receives messages. If there are none, waits for the first one. Callers that wait are served in their order. Returns no
   * messages when the time is over, the signal fires or the store is closed.
   */
  async receiveOrWait(options: ReceiveOptions, wait: WaitOptions): Promise<ReceivedMessage[]> {
    const messages = this.receive(options);
    if (messages.length > 0) return messages;
    return await this.#wait(this.#queues.get(options.queue), options, wait);
  }

  /** Deletes one message: see `deleteMessages`. */
  deleteMessage(name: string, receiptHandle: string): void {
    for (const outcome of this.deleteMessages(name, [receiptHandle])) if (!outcome.ok) throw outcome.error;
  }

  /**
   * Deletes messages by their receipt handles. A message that was deleted before is no error. On a standard queue, the
   * handle of an earlier receive deletes nothing, and is no error either.
   */
  deleteMessages(name: string, receiptHandles: readonly string[]): Outcome<void>[] {
    const queue = this.#fresh(name);
    return this.#transaction(() => deleteMessages(this.#context, queue, receiptHandles));
  }

  /**
   * Hides a message for 0 to 43,200 seconds from now. 0 makes it visible at once. On a standard queue, the handle of an
   * earlier receive also works: see `in-flight-messages.ts`.
   *
   * @throws SqsError `MessageNotInflight` (FIFO queues only), `ReceiptHandleIsInvalid`, `InvalidParameterValue`.
   */
  changeVisibility(name: string, receiptHandle: string, visibilityTimeoutSeconds: number): void {
    changeVisibility(this.#context, this.#fresh(name), receiptHandle, visibilityTimeoutSeconds);
  }

  /**
   * Undoes receives whose answers never reached the client. The messages become visible, and the receives do not count.
   * Does nothing if the queue was deleted, even if there is a new queue of its name.
   */
  undoReceives(name: string, receiptHandles: readonly string[]): void {
    if (this.#closed) return;
    const queue = this.#queues.find(name);
    if (queue === undefined) return;
    this.#transaction(() => {
      for (const handle of receiptHandles) outcomeOf(() => undoReceive(this.#context, queue, handle));
    });
  }

  /** Deletes all messages of a queue. SQS itself allows this once a minute; see `PurgeQueue` in `api-actions.ts`. */
  purge(name: string): void {
    const queue = this.#queues.get(name);
    this.#transaction(() => {
      this.#database.run("DELETE FROM messages WHERE queue = ?", queue.id);
      this.#database.run("DELETE FROM ordered_groups WHERE queue = ?", queue.id);
      // AWS accepts a message again whose deduplication id was used before the purge.
      this.#database.run("DELETE FROM deduplication WHERE queue = ?", queue.id);
      queue.total = 0;
      queue.receives.clear();
    });
  }

  /** The names of the queues that use this queue as their dead-letter queue. */
  deadLetterSources(name: string): string[] {
    return this.#queues.sourcesOf(this.#queues.get(name)).map((queue) => queue.name);
  }

  /** Message move tasks: the redrive of dead letters. */
  get moveTasks(): Pick<MoveTasks, "start" | "list" | "cancel"> {
    return this.#moveTasks;
  }

  /**
   * Makes messages visible whose receivers are gone, for the start after a crash. These receives no longer count,
   * because no message caused the end of its receiver. A message whose visibility was changed keeps its time, because a
   * receiver changes it to try a message again later.
   *
   * @param working By queue: the number of seconds to which its receivers change the visibility of a message while they
   *   process it, or `any`. A message that was changed to this number also becomes visible.
   * @returns how many messages became visible, apart from those whose receives were in memory only: see
   *   `UnwrittenReceives`.
   */
  releaseOrphans(working: Readonly<Record<string, number | "any">> = {}): number {
    const now = this.#context.clock();
    let released = 0;
    this.#transaction(() => {
      for (const queue of this.#queues.all()) {
        queue.receives.writeDownAll();
        const seconds = working[queue.name];
        const rows = this.#database.all<Place & { ordered_group: string | null }>(
          `UPDATE messages SET visible_at = coalesce(first_visible_at, ?), hold = 0, receives = MAX(0, receives - 1)
             WHERE queue = ? AND visible_at > ? AND (hold = 1 OR (hold = 2 AND (? OR visibility_changed_to = ?)))
             RETURNING ordered_group, visible_at, sequence`,
          now,
          queue.id,
          now,
          seconds === "any" ? 1 : 0,
          typeof seconds === "number" ? seconds : null,
        );
        for (const row of rows) queue.receives.rowAt(row);
        refreshGroupsOf(this.#database, queue.id, rows);
        released += rows.length;
        this.#context.changed(queue);
      }
    });
    return released;
  }

  /** Runs several calls as one transaction. If `work` throws, none of them has an effect. */
  transaction<T>(work: () => T): T {
    return this.#transaction(work);
  }

  /** Serves waiting callers and move tasks again. Tests call it after they have advanced the clock. */
  clockAdvanced(): void {
    this.#moveTasks.step();
    this.#waiters.changedAll();
  }

  /** @throws SqsError `OverLimit` if SQS would refuse a short poll: see `checkInFlight`. */
  checkInFlight(name: string): void {
    checkInFlight(this.#context, this.#fresh(name));
  }

  /** Ends all waits and closes the file. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const giveUp of [...this.#waiting]) giveUp();
    this.#moveTasks.close();
    this.#waiters.close();
    try {
      // Receives whose time is over count, so they are written.
      for (const queue of this.#queues.all()) queue.receives.writeDownEnded(this.#context.clock());
    } finally {
      this.#database.close();
    }
  }

  #transaction<T>(work: () => T): T {
    try {
      return this.#database.transaction(work);
    } catch (error) {
      this.#queues.recount();
      throw error;
    }
  }

  /** Returns a queue, and deletes the messages whose retention period is over. It looks for them once a second. */
  #fresh(name: string): Queue {
    const queue = this.#queues.get(name);
    const limit = this.#context.clock() - queue.settings.retentionSeconds * 1_000;
    if (limit < queue.sentSince) return queue;
    this.#transaction(() => {
      const rows = this.#database.all<{ sequence: number; ordered_group: string | null }>(
        "DELETE FROM messages WHERE queue = ? AND sent_at <= ? RETURNING sequence, ordered_group",
        queue.id,
        limit,
      );
      queue.receives.forget(rows.map(({ sequence }) => sequence));
      queue.total -= rows.length;
      refreshGroupsOf(this.#database, queue.id, rows);
      const { oldest } = this.#database.one<{ oldest: number | null }>(
        "SELECT min(sent_at) AS oldest FROM messages WHERE queue = ?",
        queue.id,
      );
      queue.sentSince = Math.max(oldest ?? Number.POSITIVE_INFINITY, limit + 1_000);
    });
    return queue;
  }

  #wait(queue: Queue, options: ReceiveOptions, { timeoutMs, signal }: WaitOptions): Promise<ReceivedMessage[]> {
    if (this.#closed || signal?.aborted || timeoutMs <= 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        leave();
        clearTimeout(timer);
        this.#waiting.delete(giveUp);
        signal?.removeEventListener("abort", giveUp);
        settle();
      };
      const giveUp = () => end(() => resolve([]));
      const attempt = () => {
        try {
          const messages = this.receive(options);
          if (messages.length > 0) end(() => resolve(messages));
          return messages.length;
        } catch (error) {
          end(() => reject(error));
          return 0;
        }
      };
      const leave = this.#waiters.add(queue, { wants: options.max, offer: attempt });
      const timer = setTimeout(() => {
        // If the process was busy, a message may have become visible that was not offered yet.
        attempt();
        giveUp();
      }, timeoutMs);
      this.#waiting.add(giveUp);
      signal?.addEventListener("abort", giveUp);
    });
  }
}
