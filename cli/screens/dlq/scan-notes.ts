import { MOST_IN_FLIGHT } from "../../../shared/aws/quotas.ts";
import { heldWords } from "../../../shared/dead-letters/browse.ts";
import type { PassResult } from "../../../shared/dead-letters/pass.ts";
import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";
import { count, plural, style } from "../format.ts";
import { paragraph } from "../paragraph.ts";
import { oneLine } from "../printable.ts";

/** A day: time to export what is worth keeping. */
const SOON_MILLISECONDS = 86_400_000;

/** What a person must know of a walk over the dead letters, beside what it found. */
export function passNotes(
  { looked, heldElsewhere, approximate, stoppedBy }: PassResult,
  { where }: Pick<DeadLetterOptions, "where">,
  firstExpiry?: string | null,
): readonly string[] {
  const notes: string[] = [];
  if (stoppedBy === "interruption")
    notes.push(`Interrupted after ${plural(looked, "dead letter")}: there may be more.`);
  if (stoppedBy === "in-flight limit") {
    notes.push(
      `Only ${plural(looked, "dead letter")} could be looked at: SQS lets about ${count(MOST_IN_FLIGHT)} be in flight at once. ` +
        "Redrive or purge some (a purge writes a backup), and look again.",
    );
  }
  if (heldElsewhere > 0) {
    notes.push(`${heldWords(heldElsewhere, approximate)}.`);
  }
  if (where !== undefined && where.unanswered > 0) {
    notes.push(
      `--where could not be asked of ${plural(where.unanswered, "dead letter")}: ${oneLine(where.because ?? "")}`,
    );
  }
  if (firstExpiry !== undefined && firstExpiry !== null && Date.parse(firstExpiry) - Date.now() < SOON_MILLISECONDS) {
    notes.push(`The oldest is deleted by SQS at ${firstExpiry}: npx sluice dlq export keeps them.`);
  }
  return notes.map((note) => paragraph(`${style("yellow", "note")} ${note}`));
}
