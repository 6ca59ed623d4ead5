import type { Value } from "../aws/table.ts";

/** The number set in an attribute of a row. DynamoDB stores no empty sets, so an absent attribute is an empty set. */
export const numberSet = (value: Value | undefined): ReadonlySet<number> => (value instanceof Set ? value : new Set());
