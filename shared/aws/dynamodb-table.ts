import { setTimeout } from "node:timers/promises";
import {
  type AttributeValue,
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { batchesOf } from "../base/batches.ts";
import { backoffMilliseconds, type RetryPolicy } from "../base/retry.ts";
import { sendCommand } from "./fast-path.ts";
import { MOST_BATCH_GET_KEYS } from "./quotas.ts";
import {
  type Condition,
  EXPIRY_ATTRIBUTE,
  type Key,
  keyText,
  type LedgerStore,
  ROW_RETENTION_SECONDS,
  type Row,
  type Update,
} from "./table.ts";
import { LAST_RETRY_MILLISECONDS } from "./timeouts.ts";

/**
 * The pauses before rows that DynamoDB left unread are asked for again. `BatchGetItem` does not fail when the table is
 * throttled, so the SDK does not retry.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
 */
const UNREAD: RetryPolicy = { attempts: Number.POSITIVE_INFINITY, baseMilliseconds: 50, capMilliseconds: 1_000 };

/** What a store uses of its surroundings. */
export interface DynamoDbStoreOptions {
  /** Returns milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Returns a random number from 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
  /** Default: a timer. */
  readonly sleep?: (milliseconds: number) => Promise<unknown>;
}

/** The ledger's rows in a DynamoDB table. Each write postpones the row's expiry, unless the row is permanent. */
export class DynamoDbStore implements LedgerStore {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #sleep: (milliseconds: number) => Promise<unknown>;

  constructor(
    client: DynamoDBClient,
    table: string,
    { now = Date.now, random = Math.random, sleep = setTimeout }: DynamoDbStoreOptions = {},
  ) {
    this.#client = client;
    this.#table = table;
    this.#now = now;
    this.#random = random;
    this.#sleep = sleep;
  }

  async get(key: Key): Promise<Row | undefined> {
    const { Item } = await sendCommand(this.#client, GetItemCommand, {
      TableName: this.#table,
      Key: toKey(key),
      ConsistentRead: true,
    });
    return toRow(Item);
  }

  async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    const rows = new Map<string, Row>();
    // DynamoDB refuses a request that contains the same key twice.
    const distinct = [...new Map(keys.map((key) => [keyText(key), toKey(key)])).values()];
    for (const some of batchesOf(distinct, MOST_BATCH_GET_KEYS)) {
      for (const row of await this.#readGroup(some)) rows.set(keyText(row as unknown as Key), row);
    }
    return rows;
  }

  /** Reads rows that fit into one request. Rows that DynamoDB leaves unread are asked for again. */
  async #readGroup(keys: readonly Record<string, AttributeValue>[]): Promise<readonly Row[]> {
    const rows: Row[] = [];
    const end = this.#now() + LAST_RETRY_MILLISECONDS;
    let pending = [...keys];
    for (let round = 1; ; round++) {
      const { Responses, UnprocessedKeys } = await this.#client.send(
        new BatchGetItemCommand({ RequestItems: { [this.#table]: { Keys: pending, ConsistentRead: true } } }),
      );
      rows.push(...(Responses?.[this.#table] ?? []).map((item) => toRow(item) ?? {}));
      pending = UnprocessedKeys?.[this.#table]?.Keys ?? [];
      if (pending.length === 0) return rows;
      const pause = backoffMilliseconds(UNREAD, round, this.#random());
      if (this.#now() + pause > end) {
        throw new Error(
          `DynamoDB throttles the table ${this.#table}: ${pending.length} of ${keys.length} rows could not be read in ` +
            `${LAST_RETRY_MILLISECONDS / 1_000} s`,
        );
      }
      await this.#sleep(pause);
    }
  }

  async update(key: Key, update: Update): Promise<Row | undefined> {
    try {
      const { Attributes } = await sendCommand(this.#client, UpdateItemCommand, {
        TableName: this.#table,
        Key: toKey(key),
        ReturnValues: "ALL_NEW",
        ...toExpressions(this.#expiring(update)),
      });
      return toRow(Attributes);
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  }

  #expiring(update: Update): Update {
    if (update.isPermanent === true) return update;
    const expiresAt = Math.floor(this.#now() / 1_000) + ROW_RETENTION_SECONDS;
    return { ...update, set: { ...update.set, [EXPIRY_ATTRIBUTE]: expiresAt } };
  }

  async newest(pk: string, limit: number, before?: string): Promise<readonly Row[]> {
    const { Items } = await this.#client.send(
      new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": { S: pk } },
        ScanIndexForward: false,
        Limit: limit,
        ConsistentRead: true,
        ...(before !== undefined && { ExclusiveStartKey: toKey({ pk, sk: before }) }),
      }),
    );
    return (Items ?? []).map((item) => toRow(item) ?? {});
  }
}

const toKey = ({ pk, sk }: Key): Record<string, AttributeValue> => ({ pk: { S: pk }, sk: { S: sk } });

function toRow(item: Record<string, AttributeValue> | undefined): Row | undefined {
  if (item === undefined) return undefined;
  // Remove the expiry time, because no code outside this class uses it.
  const { [EXPIRY_ATTRIBUTE]: _, ...row } = unmarshall(item);
  return row;
}

export interface Expressions {
  UpdateExpression?: string;
  ConditionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, AttributeValue>;
}

/** The expressions of an update. Tests check them against the limits of DynamoDB. */
export function toExpressions(update: Update): Expressions {
  const names = new Map<string, string>();
  const values: Record<string, unknown> = {};
  const name = (attribute: string): string => {
    const known = names.get(attribute);
    if (known !== undefined) return known;
    const placeholder = `#n${names.size}`;
    names.set(attribute, placeholder);
    return placeholder;
  };
  const value = (content: unknown): string => {
    const placeholder = `:v${Object.keys(values).length}`;
    values[placeholder] = content;
    return placeholder;
  };
  const clauses: string[] = [];
  const clause = (keyword: string, parts: readonly string[]) => {
    if (parts.length > 0) clauses.push(`${keyword} ${parts.join(", ")}`);
  };
  clause(
    "SET",
    Object.entries(update.set ?? {}).flatMap(([k, v]) => (v === undefined ? [] : [`${name(k)} = ${value(v)}`])),
  );
  clause("ADD", [
    ...addParts(update.add, name, value),
    ...Object.entries(update.increase ?? {}).map(([attribute, by]) => `${name(attribute)} ${value(by)}`),
  ]);
  clause("REMOVE", (update.remove ?? []).map(name));
  const conditions = (update.when ?? []).map((condition) => toCondition(condition, name, value));
  // DynamoDB refuses empty expressions and empty maps.
  return {
    ...(clauses.length > 0 && { UpdateExpression: clauses.join(" ") }),
    ...(conditions.length > 0 && { ConditionExpression: conditions.join(" AND ") }),
    ...(names.size > 0 && {
      ExpressionAttributeNames: Object.fromEntries(
        [...names].map(([attribute, placeholder]) => [placeholder, attribute]),
      ),
    }),
    ...(Object.keys(values).length > 0 && {
      ExpressionAttributeValues: marshall(values, { removeUndefinedValues: true }),
    }),
  };
}

// The parts of an ADD clause. DynamoDB has no empty sets, so an empty list of members has no part.
function addParts(
  sets: Update["add"],
  name: (attribute: string) => string,
  value: (content: unknown) => string,
): string[] {
  return Object.entries(sets ?? {}).flatMap(([attribute, members]) =>
    members.length === 0 ? [] : [`${name(attribute)} ${value(new Set(members))}`],
  );
}

function toCondition(
  condition: Condition,
  name: (attribute: string) => string,
  value: (content: unknown) => string,
): string {
  if ("absent" in condition) return `attribute_not_exists(${name(condition.absent)})`;
  if ("equals" in condition) return `${name(condition.equals[0])} = ${value(condition.equals[1])}`;
  if ("oneOf" in condition) return `${name(condition.oneOf[0])} IN (${condition.oneOf[1].map(value).join(", ")})`;
  if ("atMost" in condition) return `${name(condition.atMost[0])} <= ${value(condition.atMost[1])}`;
  return `NOT contains(${name(condition.lacks[0])}, ${value(condition.lacks[1])})`;
}
