import { randomUUID } from "node:crypto";
import { refreshGroup } from "./message-groups.ts";
import { type Queue, queueNameOfArn } from "./queue-registry.ts";
import { SqsError } from "./sqs-error.ts";
import { checkRange, limits } from "./sqs-limits.ts";
import type { StoreContext } from "./store-context.ts";
import type { Place } from "./unwritten-receives.ts";
import { countInvisible, firstVisible } from "./visible-messages.ts";

/** The status of a message move task. */
export type MoveTaskStatus = "RUNNING" | "COMPLETED" | "CANCELLED" | "FAILED";

/** A message move task, as `ListMessageMoveTasks` describes it. */
export interface MoveTask {
  readonly handle: string;
  readonly sourceArn: string;
  /** Absent if each message returns to the queue that it came from. */
  readonly destinationArn?: string;
  readonly messagesPerSecond?: number;
  readonly status: MoveTaskStatus;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly toMove: number;
  readonly moved: number;
  /** Present for a failed task only, such as `CouldNotDetermineMessageSource`. */
  readonly failureReason?: string;
}

/** Options of a message move task. */
export interface MoveOptions {
  readonly sourceArn: string;
  /**
   * Default: each message returns to the queue that it came from. A message that was sent to the source queue directly
   * makes the task fail.
   */
  readonly destinationArn?: string | undefined;
  /** 1 to 500. Default: as fast as possible. */
  readonly messagesPerSecond?: number | undefined;
}

interface TaskRow {
  readonly handle: string;
  readonly source: string;
  readonly destination: string | null;
  readonly rate: number | null;
  readonly status: MoveTaskStatus;
  readonly started_at: number;
  readonly to_move: number;
  readonly moved: number;
  readonly failure: string | null;
}

interface MovedRow extends Place {
  readonly source: string | null;
  readonly ordered_group: string | null;
}

const chunk = 500;
const tickMs = 50;

/** Moves messages from dead-letter queues in the background. Tasks are stored, and continue after a restart. */
export class MoveTasks {
  readonly #context: StoreContext;
  /** When each running task began in this process, and how many messages it had moved by then. Its rate counts from here. */
  readonly #paces = new Map<string, { readonly since: number; readonly moved: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(context: StoreContext) {
    this.#context = context;
    for (const task of this.#running()) this.#begin(task);
  }

  /**
   * Starts a task and returns its handle.
   *
   * @throws SqsError `ResourceNotFoundException`. `InvalidParameterValue`: the source is no dead-letter queue, or the rate
   *   is out of range, or a task of this source is running.
   */
  start(options: MoveOptions): string {
    const { database, queues, clock } = this.#context;
    const source = queues.find(queueNameOfArn(options.sourceArn));
    if (source === undefined) throw notFound("SourceArn");
    if (queues.sourcesOf(source).length === 0) {
      throw new SqsError("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.");
    }
    if (options.destinationArn !== undefined) {
      const destination = queues.find(queueNameOfArn(options.destinationArn));
      if (destination === undefined) throw notFound("DestinationArn");
      if (destination === source || destination.fifo !== source.fifo) {
        throw new SqsError("InvalidParameterValue", "Destination must be another queue, of the source's type.");
      }
    }
    if (options.messagesPerSecond !== undefined) {
      checkRange("MaxNumberOfMessagesPerSecond", options.messagesPerSecond, 1, limits.moveTaskMessagesPerSecond);
    }
    if (this.#running().some((task) => task.source === options.sourceArn)) {
      // The page says UnsupportedOperation. LocalStack's tests record this code on AWS.
      throw new SqsError(
        "InvalidParameterValue",
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
      );
    }
    const now = clock();
    const { inFlight, delayed } = countInvisible(this.#context, source, now);
    const handle = Buffer.from(JSON.stringify({ taskId: randomUUID(), sourceArn: options.sourceArn })).toString(
      "base64",
    );
    const task = database.one<TaskRow>(
      `INSERT INTO move_tasks (handle, source, destination, rate, status, started_at, to_move)
       VALUES (?, ?, ?, ?, 'RUNNING', ?, ?) RETURNING *`,
      handle,
      options.sourceArn,
      options.destinationArn ?? null,
      options.messagesPerSecond ?? null,
      now,
      source.total - inFlight - delayed,
    );
    this.#begin(task);
    return handle;
  }

  /**
   * The latest tasks of a source, newest first.
   *
   * @throws SqsError `ResourceNotFoundException`. `InvalidParameterValue`: `max` is not 1 to 10.
   */
  list(sourceArn: string, max = 1): MoveTask[] {
    checkRange("MaxResults", max, 1, 10);
    if (this.#context.queues.find(queueNameOfArn(sourceArn)) === undefined) throw notFound("SourceArn");
    return this.#context.database
      .all<TaskRow>("SELECT * FROM move_tasks WHERE source = ? ORDER BY rowid DESC LIMIT ?", sourceArn, max)
      .map(describe);
  }

  /**
   * Stops a task and returns how many messages it moved. Messages that were moved stay in their new queue.
   *
   * @throws SqsError `InvalidParameterValue`: the handle is not one of SQS. `ResourceNotFoundException`.
   *   `UnsupportedOperation`: the task is not running.
   */
  cancel(handle: string): number {
    const source = sourceOfHandle(handle);
    if (this.#context.queues.find(queueNameOfArn(source)) === undefined) throw notFound("SourceArn");
    const task = this.#context.database.get<TaskRow>("SELECT * FROM move_tasks WHERE handle = ?", handle);
    if (task === undefined) throw new SqsError("ResourceNotFoundException", "Task does not exist.");
    if (task.status !== "RUNNING") throw new SqsError("UnsupportedOperation", "Only active tasks can be cancelled.");
    this.#end(task, "CANCELLED");
    return task.moved;
  }

  /** Moves as many messages as the rates allow now. Timers call it, and tests call it after they have advanced the clock. */
  step(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const task of this.#running()) this.#context.database.transaction(() => this.#move(task));
    const running = this.#running();
    if (running.length === 0) return;
    const hurry = running.some((task) => task.rate === null);
    this.#timer = setTimeout(() => this.step(), hurry ? 0 : tickMs);
  }

  /** Stops the timers. Tasks continue when the file is opened again. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #running(): TaskRow[] {
    return this.#context.database.all<TaskRow>("SELECT * FROM move_tasks WHERE status = 'RUNNING'");
  }

  #begin(task: TaskRow): void {
    this.#paces.set(task.handle, { since: this.#context.clock(), moved: task.moved });
    this.#timer ??= setTimeout(() => this.step(), 0);
  }

  #end(task: TaskRow, status: MoveTaskStatus, failure: string | null = null): void {
    this.#paces.delete(task.handle);
    this.#context.database.run(
      "UPDATE move_tasks SET status = ?, failure = ? WHERE handle = ?",
      status,
      failure,
      task.handle,
    );
  }

  /** How many messages may be moved now. The first message moves at once, the others follow at the rate. */
  #allowance(task: TaskRow): number {
    const left = Math.min(chunk, task.to_move - task.moved);
    const pace = this.#paces.get(task.handle);
    if (task.rate === null || pace === undefined) return left;
    const due = 1 + Math.floor(((this.#context.clock() - pace.since) * task.rate) / 1_000);
    return Math.max(0, Math.min(left, pace.moved + due - task.moved));
  }

  #move(task: TaskRow): void {
    const { database, queues, clock } = this.#context;
    const source = queues.find(queueNameOfArn(task.source));
    if (source === undefined) {
      this.#end(task, "FAILED", "AWS.SimpleQueueService.NonExistentQueue");
      return;
    }
    const allowance = this.#allowance(task);
    if (allowance === 0 && task.moved < task.to_move) return;
    const columns = "sequence, visible_at, source, ordered_group";
    const rows = firstVisible<MovedRow>(this.#context, source, columns, allowance, clock());
    let moved = 0;
    let failure: string | undefined;
    for (const row of rows) {
      const arn = task.destination ?? row.source;
      const destination = queues.find(arn === null ? undefined : queueNameOfArn(arn));
      if (destination === undefined) {
        failure = arn === null ? "CouldNotDetermineMessageSource" : "AWS.SimpleQueueService.NonExistentQueue";
        break;
      }
      this.#moveOne(source, destination, row);
      moved += 1;
    }
    database.run("UPDATE move_tasks SET moved = moved + ? WHERE handle = ?", moved, task.handle);
    if (failure !== undefined) this.#end(task, "FAILED", failure);
    else if (task.moved + moved >= task.to_move || rows.length < allowance) this.#end(task, "COMPLETED");
  }

  /** A moved message is a new message: it gets a new id, a new age and a receive count of 0. */
  #moveOne(from: Queue, to: Queue, row: MovedRow): void {
    const { database, clock } = this.#context;
    const now = clock();
    const sequence = database.nextSequence();
    database.run(
      `UPDATE messages SET sequence = ?, id = ?, queue = ?, visible_at = ?, sent_at = ?, source = NULL, hold = 0,
         receives = 0, receives_before = 0, receipt = 0, received_at = NULL, first_received_at = NULL, first_visible_at = NULL
         WHERE sequence = ?`,
      sequence,
      randomUUID(),
      to.id,
      now,
      now,
      row.sequence,
    );
    to.receives.rowAt({ visible_at: now, sequence });
    from.total -= 1;
    to.total += 1;
    to.sentSince = Math.min(to.sentSince, now);
    refreshGroup(database, from.id, row.ordered_group);
    refreshGroup(database, to.id, row.ordered_group);
    this.#context.changed(to);
  }
}

/** @throws SqsError `InvalidParameterValue`. */
function sourceOfHandle(handle: string): string {
  try {
    const { sourceArn } = JSON.parse(Buffer.from(handle, "base64").toString()) as { readonly sourceArn?: unknown };
    if (typeof sourceArn === "string") return sourceArn;
  } catch {
    // The error is thrown below.
  }
  throw new SqsError("InvalidParameterValue", "Value for parameter TaskHandle is invalid.");
}

function notFound(parameter: string): SqsError {
  return new SqsError(
    "ResourceNotFoundException",
    `The resource that you specified for the ${parameter} parameter doesn't exist.`,
  );
}

function describe(row: TaskRow): MoveTask {
  return {
    handle: row.handle,
    sourceArn: row.source,
    status: row.status,
    startedAt: row.started_at,
    toMove: row.to_move,
    moved: row.moved,
    ...(row.destination === null ? {} : { destinationArn: row.destination }),
    ...(row.rate === null ? {} : { messagesPerSecond: row.rate }),
    ...(row.failure === null ? {} : { failureReason: row.failure }),
  };
}
