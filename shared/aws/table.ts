import type { Json } from "../base/json.ts";

/** The key attributes of the ledger's table, both strings. */
export const TABLE_KEYS = { partition: "pk", sort: "sk" } as const;

/** When a row of an old run may be deleted, in seconds since the epoch. */
export const EXPIRY_ATTRIBUTE = "expiresAt";

/** A row's place in the ledger's table. */
export interface Key {
  readonly pk: string;
  readonly sk: string;
}

export type Value = Json | Set<number>;
export type Row = Readonly<Record<string, Value | undefined>>;

/** What must hold of a row for an update to take effect. */
export type Condition =
  | { readonly absent: string }
  | { readonly equals: readonly [attribute: string, value: string | number | boolean] }
  | { readonly oneOf: readonly [attribute: string, values: readonly string[]] }
  | { readonly atMost: readonly [attribute: string, value: number] }
  | { readonly lacks: readonly [set: string, member: number] };

/**
 * One atomic update of one row, made when it does not exist: the few operations of DynamoDB that the ledger needs, as
 * plain data, so that the same code runs on an in-memory store whose every step a test can order.
 */
export interface Update {
  readonly set?: Readonly<Record<string, Json | undefined>>;
  /** Unions with number sets. Idempotent, as every step of the ledger must be. */
  readonly add?: Readonly<Record<string, readonly number[]>>;
  /** Subtractions from number sets. */
  readonly subtract?: Readonly<Record<string, readonly number[]>>;
  readonly remove?: readonly string[];
  /** All must hold. A condition on an attribute of a row that does not exist is false, but for `absent` and `lacks`. */
  readonly when?: readonly Condition[];
}

export interface LedgerStore {
  /** One row, as of all writes before. */
  get(key: Key): Promise<Row | undefined>;
  /** Many rows, as of all writes before, those that exist. */
  getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>>;
  /** The row after the update, or `undefined` where a condition did not hold. */
  update(key: Key, update: Update): Promise<Row | undefined>;
  /** The newest rows of one partition, by descending sort key; with `before`, those with a lower sort key. */
  newest(pk: string, limit: number, before?: string): Promise<readonly Row[]>;
}

/** A key as one string, for the maps of `getMany`. */
export const keyText = ({ pk, sk }: Key): string => `${pk}|${sk}`;
