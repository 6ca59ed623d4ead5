import { SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { cursorText } from "../sources/cursor-check.ts";
import { MOST_PARTITIONS } from "../sources/partition-limits.ts";
import type { Partition } from "../sources/source.ts";

/** The longest id of a partition, in characters, and the largest cursor. The ids and cursors of 100 partitions share a row. */
const LONGEST_ID = 200;
const LARGEST_CURSOR_BYTES = 2_048;

/**
 * Checks the partitions that a source returned.
 *
 * @throws {SourceError} The list is empty or too long, two partitions have the same id, or something is not a partition.
 *   The error is permanent, because the source would probably return the same list again.
 */
export function checkPartitions(partitions: unknown): readonly Partition[] {
  if (!Array.isArray(partitions)) {
    throw refusal(
      `returned ${show(partitions).slice(0, 100)}, which is not an array: return [{ id: "a" }, { id: "b" }]`,
    );
  }
  if (partitions.length === 0) {
    throw refusal(
      "returned no partition, which does not say that the source is empty: return at least one partition, and an empty last " +
        "page from pages",
    );
  }
  if (partitions.length > MOST_PARTITIONS) {
    throw refusal(`returned ${partitions.length} partitions: return at most ${MOST_PARTITIONS}`);
  }
  const ids = new Set<string>();
  return partitions.map((partition: unknown) => {
    const checked = checkPartition(partition);
    if (ids.has(checked.id)) {
      throw refusal(`returned two partitions with the id ${show(checked.id)}: give each partition another id`);
    }
    ids.add(checked.id);
    return checked;
  });
}

function checkPartition(partition: unknown): Partition {
  if (typeof partition !== "object" || partition === null) {
    throw refusal(`returned ${show(partition).slice(0, 100)} in the list: a partition is { id: "a", cursor: ... }`);
  }
  const { id, cursor, ...more } = partition as Record<string, unknown>;
  if (typeof id !== "string" || id.length === 0 || id.length > LONGEST_ID) {
    throw refusal(
      `returned a partition whose id is ${show(id).slice(0, 100)}: an id is a text of 1 to ${LONGEST_ID} characters`,
    );
  }
  const [unknownKey] = Object.keys(more);
  if (unknownKey !== undefined) {
    throw refusal(
      `returned the partition ${show(id)} with the key ${show(unknownKey)}: a partition has id and cursor only`,
    );
  }
  if (cursor === undefined || cursor === null) return { id };
  const bytes = Buffer.byteLength(cursorText(cursor as Partition["cursor"] & object));
  if (bytes > LARGEST_CURSOR_BYTES) {
    throw refusal(
      `returned the partition ${show(id)} with a cursor of ${bytes} bytes: the cursor of a partition has at most ` +
        `${LARGEST_CURSOR_BYTES} bytes as JSON text`,
    );
  }
  return { id, cursor: cursor as NonNullable<Partition["cursor"]> };
}

const refusal = (what: string): SourceError =>
  new SourceError(`the source's function partitions ${what}`, { permanent: true });
