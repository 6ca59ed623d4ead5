import { Database } from "./database.ts";
import { changeVisibility, deleteMessages, undoReceive } from "./held-messages.ts";
import { Faults } from "./injected-faults.ts";
import { refreshGroupsOf } from "./message-groups.ts";
import { MoveTasks } from "./move-tasks.ts";
import type { QueueAttributes, QueueSettings } from "./queue-attributes.ts";
import { type Queue, QueueRegistry, queueArn } from "./queue-registry.ts";
import { checkInFlight, type ReceivedMessage, type ReceiveOptions, receive } from "./receive-messages.ts";
import { type OutgoingMessage, type SentMessage, send } from "./send-message.ts";
import { type Outcome, outcomeOf } from "./sqs-error.ts";
import type { StoreContext } from "./store-context.ts";
import type { Place } from "./unwritten-receives.ts";
import { countInvisible, countReceivable, nextReceivableAt } from "./visible-messages.ts";
import { Waiters } from "./waiters.ts";

export type { MessageAttribute, MessageAttributes } from "./message-attributes.ts";
export type { MoveOptions, MoveTask, MoveTaskStatus } from "./move-tasks.ts";
export type { QueueAttributes, QueueSettings } from "./queue-attributes.ts";
export { queueArn, queueNameOfArn } from "./queue-registry.ts";
export type { ReceivedMessage, ReceiveOptions } from "./receive-messages.ts";
export type { OutgoingMessage, SentMessage } from "./send-message.ts";
export type { Outcome } from "./sqs-error.ts";

/** How many messages a queue holds, exactly. */
export interface QueueCounts {
  /** Visible: on FIFO queues also those whose group is blocked. */
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** How long to wait for messages. */
export interface WaitOptions {
  /** In real milliseconds, whatever the store's clock says. */
  readonly timeoutMs: number;
  /** Ends the waiting early; that is not an error. */
  readonly signal?: AbortSignal;
}

/** Options of a store. */
export interface QueueStoreOptions {
  /** The SQLite file, or `:memory:`. */
  readonly file: string;
  /** Milliseconds since 1970; `Date.now` by default. */
  readonly clock?: () => number;
  /** Faults of deliveries; none by default. */
  readonly faults?: Faults;
  /** Memory for pages of the file; 64 MiB by default. */
  readonly cacheMegabytes?: number;
}

/**
 * The queues and their messages, in one SQLite file that survives a SIGKILL; receives under way end with the process.
 * Queues are named by their name. Methods are synchronous and atomic; those that refuse throw an `SqsError` with AWS's
 * code (`QueueDoesNotExist` for every unknown queue).
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
      changed: (queue) => this.#waiters.changed(queue),
    };
    this.#moveTasks = new MoveTasks(this.#context);
  }

  /**
   * Creates a queue; attributes are SQS's (`VisibilityTimeout`, `RedrivePolicy`, `FifoQueue`, ...). One that exists
   * with the same values of these attributes is left as it is.
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

  /** Whether there is a queue of this name. */
  hasQueue(name: string): boolean {
    return this.#queues.find(name) !== undefined;
  }

  /** The names of all queues, in order. */
  queueNames(): string[] {
    return this.#queues.all().map((queue) => queue.name);
  }

  /** What the queue is set to. */
  settings(name: string): QueueSettings {
    return this.#queues.get(name).settings;
  }

  /** All attributes as `GetQueueAttributes` answers them, counts and times (in seconds) included. */
  attributes(name: string): QueueAttributes {
    const queue = this.#queues.get(name);
    const counts = this.counts(name);
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

  /** Changes attributes; they hold for messages sent or received from now on. An empty policy takes it away. */
  setAttributes(name: string, changes: QueueAttributes): void {
    this.#queues.setAttributes(this.#queues.get(name), changes);
  }

  /** How many messages the queue holds now. Costs as much as there are messages delayed and in flight. */
  counts(name: string): QueueCounts {
    const queue = this.#fresh(name);
    const { inFlight, delayed } = countInvisible(this.#context, queue, this.#context.clock());
    return { visible: queue.total - inFlight - delayed, inFlight, delayed };
  }

  /** When the next message becomes visible that is not visible now; undefined where there is none. */
  nextVisibleAt(name: string): number | undefined {
    return nextReceivableAt(this.#context, this.#queues.get(name), this.#context.clock());
  }

  /** Sends one message. @throws SqsError `InvalidMessageContents`, `InvalidParameterValue`, `MissingParameter`. */
  send(name: string, message: OutgoingMessage): SentMessage {
    return send(this.#context, this.#queues.get(name), message);
  }

  /** Sends any number of messages in one transaction. What SQS would refuse is an outcome, and leaves the others be. */
  sendBatch(name: string, messages: readonly OutgoingMessage[]): Outcome<SentMessage>[] {
    const queue = this.#queues.get(name);
    return this.#transaction(() => messages.map((message) => outcomeOf(() => send(this.#context, queue, message))));
  }

  /** Gives no more messages of a queue to anybody: its messages stay, and come when the store is opened again. */
  suspend(name: string): void {
    this.#suspended.add(name);
  }

  /** UnwrittenReceives what is visible now, without waiting: up to `max` messages, or none. */
  receive(options: ReceiveOptions): ReceivedMessage[] {
    if (this.#suspended.has(options.queue)) return [];
    const queue = this.#fresh(options.queue);
    return this.#transaction(() => receive(this.#context, queue, options));
  }

  /**
   * UnwrittenReceives, and waits for the first message if there is none: no earlier waiter is passed over. Returns none when
   * the time is over, the signal fires or the store is closed.
   */
  async receiveOrWait(options: ReceiveOptions, wait: WaitOptions): Promise<ReceivedMessage[]> {
    const messages = this.receive(options);
    if (messages.length > 0) return messages;
    const queue = this.#queues.get(options.queue);
    return this.#wait<ReceivedMessage[]>(queue, options.max, wait, [], () => {
      const found = this.receive(options);
      return found.length === 0 ? undefined : { value: found, taken: found.length };
    });
  }

  /**
   * Waits until a message can be received: one is sent, or its visibility timeout or delay ends. True when there is
   * one (somebody else may be faster), false when the time is over, the signal fires or the store is closed.
   * `wants` messages at most wake this waiter alone, 1 by default: more messages wake others too.
   */
  async waitForMessages(name: string, wait: WaitOptions & { readonly wants?: number }): Promise<boolean> {
    const queue = this.#fresh(name);
    const wants = wait.wants ?? 1;
    return this.#wait(queue, wants, wait, false, () => ({ value: true, taken: wants }));
  }

  /** Deletes the message of one receipt handle: see `deleteMessages`. */
  deleteMessage(name: string, receiptHandle: string): void {
    for (const outcome of this.deleteMessages(name, [receiptHandle])) if (!outcome.ok) throw outcome.error;
  }

  /**
   * Deletes messages by their receipt handles. One that is gone already is no error; on a standard queue neither is an
   * outdated handle of a message that was received again, which stays.
   */
  deleteMessages(name: string, receiptHandles: readonly string[]): Outcome<void>[] {
    const queue = this.#fresh(name);
    return this.#transaction(() => deleteMessages(this.#context, queue, receiptHandles));
  }

  /**
   * Hides a message in flight for so many seconds from now, 0 to 43,200; 0 makes it visible at once.
   *
   * @throws SqsError `MessageNotInflight`, `ReceiptHandleIsInvalid`, `InvalidParameterValue`.
   */
  changeVisibility(name: string, receiptHandle: string, visibilityTimeoutSeconds: number): void {
    changeVisibility(this.#context, this.#fresh(name), receiptHandle, visibilityTimeoutSeconds);
  }

  /** Takes receives back that never reached their receiver: visible at once, and not counted. */
  undoReceives(name: string, receiptHandles: readonly string[]): void {
    if (this.#closed) return;
    const queue = this.#queues.find(name);
    if (queue === undefined) return;
    this.#transaction(() => {
      for (const handle of receiptHandles) undoReceive(this.#context, queue, handle);
    });
  }

  /** Deletes all messages of a queue, at once and as often as wanted (SQS itself allows it once a minute). */
  purge(name: string): void {
    const queue = this.#queues.get(name);
    this.#transaction(() => {
      this.#database.run("DELETE FROM messages WHERE queue = ?", queue.id);
      this.#database.run("DELETE FROM ordered_groups WHERE queue = ?", queue.id);
      queue.total = 0;
      queue.receives.clear();
    });
  }

  /** The names of the queues whose dead-letter queue this is. */
  deadLetterSources(name: string): string[] {
    return this.#queues.sourcesOf(this.#queues.get(name)).map((queue) => queue.name);
  }

  /** Message move tasks: the redrive of dead letters. */
  get moveTasks(): Pick<MoveTasks, "start" | "list" | "cancel"> {
    return this.#moveTasks;
  }

  /**
   * Makes messages visible whose receivers are gone, for the start after a crash. The receives are taken back, because
   * no message caused the end of its receiver. A message whose visibility was changed keeps its time, because a receiver
   * changes it to try a message again later.
   *
   * @param working By queue, how its receivers change the visibility of a message that they work on: to this number of
   *   seconds, or to `any`. Such a message becomes visible too.
   * @returns how many of these receives were written: see `UnwrittenReceives`.
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

  /** Several calls as one transaction: all of them take effect, or none when `work` throws. */
  transaction<T>(work: () => T): T {
    return this.#transaction(work);
  }

  /** Looks again at who waits and what is due: for tests, after they have advanced the clock. */
  clockAdvanced(): void {
    this.#moveTasks.step();
    this.#waiters.changedAll();
  }

  /** @throws SqsError `OverLimit` when a short poll would be refused: see `checkInFlight`. */
  checkInFlight(name: string): void {
    checkInFlight(this.#context, this.#fresh(name));
  }

  /** Ends all waiting and closes the file. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const giveUp of [...this.#waiting]) giveUp();
    this.#moveTasks.close();
    this.#waiters.close();
    try {
      // Those receives count.
      for (const queue of this.#queues.all()) queue.receives.writeDownEnded(this.#context.clock());
    } finally {
      this.#database.close();
    }
  }

  #transaction<T>(work: () => T): T {
    try {
      return this.#database.transaction(work);
    } catch (error) {
      if (!this.#closed) this.#queues.recount();
      throw error;
    }
  }

  /** The queue, without the messages whose retention period is over: by a second at most, as it is looked once in one. */
  #fresh(name: string): Queue {
    const queue = this.#queues.get(name);
    const now = this.#context.clock();
    queue.receives.writeDownEnded(now);
    const limit = now - queue.settings.retentionSeconds * 1_000;
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
      const left = this.#database.get<{ oldest: number | null }>(
        "SELECT min(sent_at) AS oldest FROM messages WHERE queue = ?",
        queue.id,
      );
      queue.sentSince = Math.max(left?.oldest ?? Number.POSITIVE_INFINITY, limit + 1_000);
    });
    return queue;
  }

  #wait<T>(
    queue: Queue,
    wants: number,
    { timeoutMs, signal }: WaitOptions,
    nothing: T,
    offer: () => { readonly value: T; readonly taken: number } | undefined,
  ): Promise<T> {
    if (this.#closed || signal?.aborted || timeoutMs <= 0) return Promise.resolve(nothing);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        leave();
        clearTimeout(timer);
        this.#waiting.delete(giveUp);
        signal?.removeEventListener("abort", giveUp);
        settle();
      };
      const giveUp = () => end(() => resolve(nothing));
      const attempt = () => {
        try {
          const found = offer();
          if (found === undefined) return 0;
          end(() => resolve(found.value));
          return found.taken;
        } catch (error) {
          end(() => reject(error));
          return 0;
        }
      };
      const leave = this.#waiters.add(queue, { wants, offer: attempt });
      const timer = setTimeout(() => {
        // In a process that was held up, what became visible meanwhile may not have been offered yet.
        if (!this.#mayReceive(queue) || attempt() === 0) giveUp();
      }, timeoutMs);
      this.#waiting.add(giveUp);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  #mayReceive(queue: Queue): boolean {
    try {
      return countReceivable(this.#context, queue, 1) > 0;
    } catch {
      // Who tries will meet the error, and tell of it.
      return true;
    }
  }
}
