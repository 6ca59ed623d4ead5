import { MOST_IN_FLIGHT } from "../../../shared/aws/quotas.ts";
import { heldWords } from "../../../shared/dead-letters/browse.ts";
import type { ScanResult } from "../../../shared/dead-letters/scan.ts";
import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";
import { count, plural, style } from "../format.ts";
import { paragraph } from "../paragraph.ts";
import { oneLine } from "../printable.ts";

/** One day: enough time to export dead letters before SQS deletes them. */
const SOON_MILLISECONDS = 86_400_000;

/** What the user must know about a scan, besides its result: what it did not read, and what SQS deletes soon. */
export function scanNotes(
  { looked, heldElsewhere, approximate, stoppedBy }: ScanResult,
  { where }: Pick<DeadLetterOptions, "where">,
  firstExpiry?: string | null,
): readonly string[] {
  const notes: string[] = [];
  if (stoppedBy === "interruption")
    notes.push(`Interrupted after ${plural(looked, "dead letter")}: there may be more.`);
  if (stoppedBy === "in-flight limit") {
    notes.push(
      `Only ${plural(looked, "dead letter")} could be read: SQS allows about ${count(MOST_IN_FLIGHT)} messages in flight at once. ` +
        "Redrive or purge some (a purge writes a backup), then run this command again.",
    );
  }
  if (heldElsewhere > 0) {
    notes.push(`${heldWords(heldElsewhere, approximate)}.`);
  }
  if (where !== undefined && where.unanswered > 0) {
    notes.push(
      `--where could not be evaluated for ${plural(where.unanswered, "dead letter")}: ${oneLine(where.because ?? "")}`,
    );
  }
  if (firstExpiry !== undefined && firstExpiry !== null && Date.parse(firstExpiry) - Date.now() < SOON_MILLISECONDS) {
    notes.push(`SQS deletes the oldest at ${firstExpiry}. Keep them with: npx sluice dlq export`);
  }
  return notes.map((note) => paragraph(`${style("yellow", "note")} ${note}`));
}
