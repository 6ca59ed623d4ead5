import { jsonText } from "../base/exact-json.ts";
import type { DeadLetter } from "./read-dead-letter.ts";

/** What a search in a dead letter reads. */
export type Searched = Pick<DeadLetter, "id" | "error" | "fingerprint" | "item">;

/**
 * The text in which a search for a part of a dead letter looks, in lower case: the id, the error as it is and on one line as lists
 * show it, the text of the group, and the whole item as JSON.
 */
export function searchText({ id, error, fingerprint, item }: Searched): string {
  const whole = `${error.name}: ${error.message}`;
  const itemText = typeof item === "string" ? item : (jsonText(item) ?? "");
  return [id, whole, whole.replaceAll(/\s+/g, " "), fingerprint.text, itemText].join("\n").toLowerCase();
}

/**
 * Whether a dead letter contains a text, in upper or lower case.
 *
 * @example hasText(deadLetter, "econnrefused")
 */
export const hasText = (deadLetter: Searched, text: string): boolean =>
  searchText(deadLetter).includes(text.toLowerCase());
