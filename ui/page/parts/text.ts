// Control characters other than newline and tab, and characters that change the direction of the text after them. Text of other
// services must not look like a different text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be shown as they are.
const UNSAFE = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/** Text of other services with its control characters written out: `\u001b`. In JSON, the text stays the same JSON. */
export const visible = (text: string): string =>
  text.replaceAll(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** How long ago a moment was: "3 min ago". */
export function ago(iso: string, now = Date.now()): string {
  const past = (now - Date.parse(iso)) / 1_000;
  if (Number.isNaN(past)) return "at an unknown time";
  if (past < 1) return "just now";
  if (past < 60) return `${Math.floor(past)} s ago`;
  if (past < 3_600) return `${Math.floor(past / 60)} min ago`;
  if (past < 2 * 86_400) return `${Math.floor(past / 3_600)} h ago`;
  return `${Math.floor(past / 86_400)} days ago`;
}

/** A duration in milliseconds: "87 ms", "1.2 s". */
export const duration = (milliseconds: number): string =>
  milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;

/** A word, quoted for a shell if necessary. */
export const quoted = (word: string): string =>
  /^[\w.,:/@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
