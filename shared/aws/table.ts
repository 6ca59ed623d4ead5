import type { Json } from "../base/json.ts";

/** The names of the two key attributes of the ledger's table. Both hold strings. */
export const TABLE_KEYS = { partition: "pk", sort: "sk" } as const;

/** The name of the attribute with the time after which DynamoDB may delete a row, in seconds since 1970. */
export const EXPIRY_ATTRIBUTE = "expiresAt";

/**
 * How long DynamoDB keeps a row after its last write: 400 days. DynamoDB deletes an expired row within a few days. A
 * run needs all of its rows until it has ended. A run can last for months, for example while it is paused, and its dead
 * letters can be redriven after that.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
 */
export const ROW_RETENTION_SECONDS = 400 * 86_400;

/** The key of a row in the ledger's table. */
export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** The value of an attribute. */
export type Value = Json | Set<number>;
/** A row: the values of its attributes by their names. */
export type Row = Readonly<Record<string, Value | undefined>>;

/**
 * A condition on the row. `absent`: the row has no such attribute. `equals`, `oneOf` and `atMost`: the attribute
 * exists, and its value is equal, one of the values, or not larger. `lacks`: the set does not contain the member.
 */
export type Condition =
  | { readonly absent: string }
  | { readonly equals: readonly [attribute: string, value: string | number | boolean] }
  | { readonly oneOf: readonly [attribute: string, values: readonly string[]] }
  | { readonly atMost: readonly [attribute: string, value: number] }
  | { readonly lacks: readonly [set: string, member: number] };

/**
 * One atomic update of one row. If the row does not exist, the update creates it. An update is plain data and has only
 * the operations that the ledger needs. So tests can run the ledger's code on a store in memory, and control the order
 * of all steps.
 */
export interface Update {
  readonly set?: Readonly<Record<string, Json | undefined>>;
  /**
   * Members to add to number sets. Adding a member twice changes nothing, and the ledger needs this, because each of
   * its steps must be idempotent.
   */
  readonly add?: Readonly<Record<string, readonly number[]>>;
  /** Numbers to add to number attributes. A missing attribute counts as 0. Repeating this changes the row again. */
  readonly increase?: Readonly<Record<string, number>>;
  /**
   * Whether the row never expires. Default: DynamoDB may delete the row `ROW_RETENTION_SECONDS` after its last write.
   */
  readonly isPermanent?: boolean;
  /** Attributes to remove. */
  readonly remove?: readonly string[];
  /** All conditions must be true. If the row does not exist, only `absent` and `lacks` are true. */
  readonly when?: readonly Condition[];
}

/** The table of the ledger, in which Sluice keeps the state of every run and of every item. */
export interface LedgerStore {
  /** Reads one row, including all earlier writes. */
  get(key: Key): Promise<Row | undefined>;
  /**
   * Reads many rows, including all earlier writes. The map contains the rows that exist, and its keys come from
   * `keyText`.
   */
  getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>>;
  /** Updates a row and returns it as it is after the update. Returns `undefined` if a condition was false. */
  update(key: Key, update: Update): Promise<Row | undefined>;
  /**
   * Reads up to `limit` rows of one partition, in descending order of their sort keys. With `before`, only rows with a
   * smaller sort key are read.
   */
  newest(pk: string, limit: number, before?: string): Promise<readonly Row[]>;
}

/** A row's key as one string. The map that `getMany` returns has such keys. */
export const keyText = ({ pk, sk }: Key): string => `${pk}|${sk}`;
