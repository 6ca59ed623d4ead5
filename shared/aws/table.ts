import type { Json } from "../base/json.ts";

/** The names of the two key attributes of the ledger's table. Both hold strings. */
export const TABLE_KEYS = { partition: "pk", sort: "sk" } as const;

/** The name of the attribute with the time after which DynamoDB may delete a row, in seconds since 1970. */
export const EXPIRY_ATTRIBUTE = "expiresAt";

/** The key of a row in the ledger's table. */
export interface Key {
  readonly pk: string;
  readonly sk: string;
}

export type Value = Json | Set<number>;
export type Row = Readonly<Record<string, Value | undefined>>;

/** A condition on the row. An update takes effect only if all of its conditions are true. */
export type Condition =
  | { readonly absent: string }
  | { readonly equals: readonly [attribute: string, value: string | number | boolean] }
  | { readonly oneOf: readonly [attribute: string, values: readonly string[]] }
  | { readonly atMost: readonly [attribute: string, value: number] }
  | { readonly lacks: readonly [set: string, member: number] };

/**
 * One atomic update of one row. It creates the row if the row does not exist. An update is plain data and has only the
 * operations that the ledger needs. So the same code also runs on an in-memory store, where a test controls the order
 * of all steps.
 */
export interface Update {
  readonly set?: Readonly<Record<string, Json | undefined>>;
  /**
   * Members to add to number sets. Adding a member twice changes nothing, as every step of the ledger must be
   * idempotent.
   */
  readonly add?: Readonly<Record<string, readonly number[]>>;
  /** Attributes to remove. */
  readonly remove?: readonly string[];
  /** All conditions must be true. If the row does not exist, only `absent` and `lacks` are true. */
  readonly when?: readonly Condition[];
}

export interface LedgerStore {
  /** Reads one row, including all earlier writes. */
  get(key: Key): Promise<Row | undefined>;
  /** Reads many rows, including all earlier writes. The map has the rows that exist, by `keyText`. */
  getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>>;
  /** Updates a row and returns it as it is after the update. Returns `undefined` if a condition was false. */
  update(key: Key, update: Update): Promise<Row | undefined>;
  /** Reads the rows of one partition by descending sort key. With `before`, it starts below that sort key. */
  newest(pk: string, limit: number, before?: string): Promise<readonly Row[]>;
}

/** A key as one string: the keys in the map of `getMany`. */
export const keyText = ({ pk, sk }: Key): string => `${pk}|${sk}`;
