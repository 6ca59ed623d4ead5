import { inspect } from "node:util";
import { ItemError } from "../base/errors.ts";
import type { ExactText } from "../base/exact-json.ts";
import { toItemJson } from "../messages/body.ts";
import { UnreadableItem } from "../sources/unreadable-item.ts";

/** An item as JSON, or why it is none and what it looks like. */
export type Serialised = ExactText | Unsendable;

export interface Unsendable {
  readonly error: ItemError;
  readonly text: string;
}

export function serialise(item: unknown): Serialised {
  if (item instanceof UnreadableItem) {
    return { error: new ItemError("INVALID_ITEM", `${item.at}: ${item.error}`), text: item.raw };
  }
  try {
    return toItemJson(item);
  } catch (error) {
    if (error instanceof ItemError) return { error, text: textOfUnknown(item) };
    throw error;
  }
}

export const textOf = (item: Serialised): string => ("json" in item ? item.json : item.text);

function textOfUnknown(item: unknown): string {
  try {
    return inspect(item, { depth: 4, maxStringLength: 1_000 });
  } catch {
    // An item may say itself how it is inspected, and throw.
    return Object.prototype.toString.call(item);
  }
}
