// Control characters other than newline and tab, and characters that change the direction of the text after them. Text from
// other services must not control the terminal, and must not look like a different text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
const UNSAFE = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Text from elsewhere, safe for a terminal: control characters are shown as `\u001b`, newlines and tabs stay. */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll("\r\n", "\n").replace(UNSAFE, escaped);
}

/** JSON that is safe for a terminal. A JSON parser reads the same value, because only characters in strings are escaped. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, escaped);
}

/** Text from elsewhere, safe for a terminal and on one line. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, " ").trim());
}
