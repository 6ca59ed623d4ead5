/** The escape sequences of `styleText`. They take no room. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const STYLES = /\u001b\[[0-9;]*m/g;
/** A style, or one character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
const PART = /\u001b\[[0-9;]*m|./gsu;
/** Combining marks with variation selectors, and joiners, take no room. */
const NARROW = /\p{Mark}|[\u200b-\u200d]/u;
/** Characters of East Asia and emoji take two columns. https://www.unicode.org/reports/tr11/ */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

const widthOfCharacter = (character: string): number => (WIDE.test(character) ? 2 : NARROW.test(character) ? 0 : 1);

/** How many columns a text takes on a terminal. */
function widthOf(text: string): number {
  const plain = text.replace(STYLES, "");
  // Most texts have one column for each character.
  if (!/[^\u0020-\u02ff]/.test(plain)) return plain.length;
  return [...plain].reduce((sum, character) => sum + widthOfCharacter(character), 0);
}

/**
 * Breaks a line between its words, and words that are too long. The widths of wrap-ansi are more exact, but loading it takes
 * 20 ms of CPU time, because it compiles all emoji.
 */
export function wrapLine(line: string, width: number): readonly string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(" ")) {
    const joined = current === "" ? word : `${current} ${word}`;
    if (widthOf(joined) <= width) {
      current = joined;
      continue;
    }
    if (current !== "") lines.push(current);
    const pieces = broken(word, width);
    lines.push(...pieces.slice(0, -1));
    current = pieces.at(-1) ?? "";
  }
  return [...lines, current];
}

/** The pieces of a word that is wider than a line. */
function broken(word: string, width: number): readonly string[] {
  const pieces: string[] = [];
  let piece = "";
  for (const part of word.match(PART) ?? []) {
    if (piece !== "" && widthOf(piece + part) > width) {
      pieces.push(piece);
      piece = "";
    }
    piece += part;
  }
  return [...pieces, piece];
}
