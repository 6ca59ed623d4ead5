import type { Database } from "./database.ts";
import type { Queue } from "./queue-registry.ts";
import { SqsError } from "./sqs-error.ts";
import { limits } from "./sqs-limits.ts";

/** The tags of a queue. They have no effect here. */
export type QueueTags = Readonly<Record<string, string>>;

/** Reads the tags of a queue. */
export function tagsOf(database: Database, { id }: Queue): QueueTags {
  const { tags } = database.one<{ tags: string | null }>("SELECT tags FROM queues WHERE id = ?", id);
  return JSON.parse(tags ?? "{}") as QueueTags;
}

/**
 * Adds tags to a queue. A tag of the same key gets the new value.
 *
 * @throws SqsError `InvalidParameterValue`: the queue would have more than 50 tags.
 */
export function addTags(database: Database, queue: Queue, tags: QueueTags): void {
  const all = { ...tagsOf(database, queue), ...tags };
  checkTagCount(queue.name, all);
  write(database, queue, all);
}

/** @throws SqsError `InvalidParameterValue`: these are more than 50 tags. */
export function checkTagCount(queue: string, tags: QueueTags): void {
  if (Object.keys(tags).length > limits.tags) {
    throw new SqsError("InvalidParameterValue", `Too many tags added for queue ${queue}.`);
  }
}

/** Removes tags from a queue. A key that the queue does not have is no error. */
export function removeTags(database: Database, queue: Queue, keys: readonly string[]): void {
  const rest = Object.entries(tagsOf(database, queue)).filter(([key]) => !keys.includes(key));
  write(database, queue, Object.fromEntries(rest));
}

function write(database: Database, { id }: Queue, tags: QueueTags): void {
  database.run("UPDATE queues SET tags = ? WHERE id = ?", JSON.stringify(tags), id);
}
