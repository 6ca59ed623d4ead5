// Control characters but for the end of a line and the tab, and those that turn the direction of what follows: a text
// that was written by others must neither steer the terminal nor look like another one.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
const STEERING = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * A text that others wrote, as a terminal may show it: what would steer the terminal is shown as `\u001b`, lines and
 * tabs stay.
 */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll("\r\n", "\n").replace(STEERING, escaped);
}

/** JSON text as a terminal may show it, and as any reader of JSON reads it: the same, with these characters escaped. */
export function printableJson(json: string): string {
  // They stand in its strings alone: between them there are only blanks of other kinds.
  return json.replace(STEERING, escaped);
}

/** A text that others wrote, on one line. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, " ").trim());
}
