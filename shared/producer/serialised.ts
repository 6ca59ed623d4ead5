import { inspect } from "node:util";
import { ItemError } from "../errors.ts";
import { toJson } from "../messages/body.ts";
import { UnreadableItem } from "../sources/unreadable-item.ts";

/** An item as JSON, or why it is none and what it looks like. */
export type Serialised = { readonly json: string } | Unsendable;

export interface Unsendable {
  readonly error: ItemError;
  readonly text: string;
}

export function serialise(item: unknown): Serialised {
  if (item instanceof UnreadableItem) {
    return { error: new ItemError("INVALID_ITEM", `${item.at}: ${item.error}`), text: item.raw };
  }
  try {
    return { json: toJson(item) };
  } catch (error) {
    if (error instanceof ItemError) return { error, text: inspect(item, { depth: 4, maxStringLength: 1_000 }) };
    throw error;
  }
}

export const textOf = (item: Serialised): string => ("json" in item ? item.json : item.text);
