import { jsonText } from "../../../shared/base/exact-json.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { oneLine } from "../printable.ts";

/** How many characters of an item or a message are put on one line. */
const MAX_CHARACTERS = 2_000;

/** The first eight digits of an id, which people can type. */
export const shortId = (id: string): string => (/^[0-9a-f]{8}-/.test(id) ? id.slice(0, 8) : id);

/** An item on one line. */
export const itemText = (item: unknown): string =>
  oneLine((typeof item === "string" ? item : (jsonText(item) ?? "")).slice(0, MAX_CHARACTERS));

/** An error on one line. */
export const errorText = ({ name, message }: DeadLetter["error"]): string =>
  oneLine(`${name}: ${message}`.slice(0, MAX_CHARACTERS));

/** How long ago a moment was: "3 min ago". */
export function ago(iso: string, now: number = Date.now()): string {
  const past = (now - Date.parse(iso)) / 1_000;
  // The time comes from the message, and may be anything.
  if (Number.isNaN(past)) return "at an unknown time";
  if (past < 1) return "just now";
  if (past < 60) return `${Math.floor(past)} s ago`;
  if (past < 3_600) return `${Math.floor(past / 60)} min ago`;
  if (past < 2 * 86_400) return `${Math.floor(past / 3_600)} h ago`;
  return `${Math.floor(past / 86_400)} days ago`;
}
