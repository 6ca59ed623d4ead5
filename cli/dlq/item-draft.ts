import {
  parseBigints,
  parseJson,
  toEditableText,
  toExactText,
  UnsafeNumberError,
} from "../../shared/base/exact-json.ts";

/** An item as the user edits it, with a heading that says which dead letter it belongs to. */
export interface DraftItem {
  readonly id: string;
  /** Why the item died, on one line. */
  readonly about: string;
  readonly item: unknown;
  /** Why the item cannot be sent as the user left it. */
  readonly problem?: string | undefined;
  /** The text that the user left, if it is not JSON. */
  readonly text?: string | undefined;
}

/** What the user left of an item: an item, or a text that is not JSON. */
export type Edited =
  | { readonly tag: "item"; readonly item: unknown }
  | { readonly tag: "unreadable"; readonly text: string; readonly problem: string };

const DEAD_LETTER = /^\/\/ dead letter (\S+)/;
const COMMENT = /^\s*\/\//;

/** The text that is opened in the editor. */
export function toDraft(items: readonly DraftItem[], workflow: string): string {
  const several = items.length > 1;
  return [
    `// ${several ? `The items of ${items.length} dead letters` : "The item of a dead letter"} of ${workflow}. Change, save and quit.`,
    `// Only what you change is sent back. ${several ? "Delete an item, or all of them, to leave it" : "Delete it to leave it"} in the dead-letter queue.`,
    "// Lines that begin with // are ignored.",
    ...(items.some(({ item }) => hasBigints(item))
      ? ["// A bigint within ±(2^53 − 1) is written as 5.0, a number as 5."]
      : []),
    ...items.flatMap(({ id, about, item, problem, text }) => [
      "",
      `// dead letter ${id} · ${about}`,
      ...(problem ?? "").split("\n").flatMap((line) => (line === "" ? [] : [`// ✖ ${line}`])),
      text ?? toEditableText(item) ?? "",
    ]),
    "",
  ].join("\n");
}

/**
 * Reads the text that the user saved. The result has an entry for each dead letter whose item was not deleted.
 *
 * @param bigintsIn Whether the item of a dead letter held bigints before. Then `5.0` is read as a bigint.
 */
export function readDraft(
  draft: string,
  bigintsIn: (id: string) => boolean = () => false,
): ReadonlyMap<string, Edited> {
  const parts = new Map<string, string[]>();
  let part: string[] | undefined;
  // A JSON string cannot contain a line break, so no line of an item begins with //.
  for (const line of draft.split(/\r?\n/)) {
    const id = DEAD_LETTER.exec(line)?.[1];
    if (id !== undefined) {
      part = [];
      parts.set(id, part);
    } else if (!COMMENT.test(line)) part?.push(line);
  }
  const edited = new Map<string, Edited>();
  for (const [id, lines] of parts) {
    const text = lines.join("\n").trim();
    if (text !== "") edited.set(id, readItemText(text, bigintsIn(id)));
  }
  return edited;
}

/** Whether an item holds bigints. */
export const hasBigints = (item: unknown): boolean => toExactText(item)?.bigints === true;

/**
 * Reads the text of one item.
 *
 * @param bigints Whether the item held bigints before. Then `5.0` is read as a bigint.
 */
export function readItemText(text: string, bigints: boolean): Edited {
  try {
    return { tag: "item", item: bigints ? parseBigints(text) : parseJson(text, "bigint") };
  } catch (error) {
    if (error instanceof UnsafeNumberError) return { tag: "unreadable", text, problem: error.message };
    return { tag: "unreadable", text, problem: `it is not JSON: ${(error as Error).message}` };
  }
}
