import { inspect } from "node:util";
import { ItemError } from "../base/errors.ts";
import type { ExactText } from "../base/exact-json.ts";
import { toItemJson } from "../messages/body.ts";
import { UnreadableItem } from "../sources/unreadable-item.ts";

/** An item as JSON text, or an item that cannot be sent. */
export type Serialised = ExactText | Unsendable;

/** An item that cannot be sent and becomes a dead letter: the error, and a text that shows the item. */
export interface Unsendable {
  readonly error: ItemError;
  readonly text: string;
}

/** Turns an item that a source yielded into JSON text. Returns an `Unsendable` if the item is not JSON. */
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

/** The text of an item. Its length gives the size of the item. */
export const textOf = (item: Serialised): string => ("json" in item ? item.json : item.text);

/** A readable text of a value that is not JSON. */
function textOfUnknown(item: unknown): string {
  try {
    return inspect(item, { depth: 4, maxStringLength: 1_000 });
  } catch {
    // An item may define its own inspect function, which may throw.
    return Object.prototype.toString.call(item);
  }
}
