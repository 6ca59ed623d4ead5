import { PRICES } from "../../shared/aws/prices.ts";
import { type Key, keyText, type LedgerStore, type Row, type Update, type Value } from "../../shared/aws/table.ts";
import { MemoryStore } from "../../test/helpers/memory-store.ts";

/** A write unit covers 1 KB, a strongly consistent read unit 4 KB. */
const DOLLARS = PRICES.dynamoDb;
const WRITE_UNIT_BYTES = 1_024;
const READ_UNIT_BYTES = 4_096;

/** The ledger's table in memory. It counts the units that DynamoDB bills. */
export class MeteredTable implements LedgerStore {
  readonly #store = new MemoryStore();
  readonly #sizes = new Map<string, number>();
  updates = 0;
  writeUnits = 0;
  readUnits = 0;

  get dollars(): number {
    return this.writeUnits * DOLLARS.writeUnit + this.readUnits * DOLLARS.readUnit;
  }

  async get(key: Key): Promise<Row | undefined> {
    const row = await this.#store.get(key);
    this.#read(row);
    return row;
  }

  async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    const rows = await this.#store.getMany(keys);
    for (const key of keys) this.#read(rows.get(keyText(key)));
    return rows;
  }

  async newest(pk: string, limit: number, before?: string): Promise<readonly Row[]> {
    const rows = await this.#store.newest(pk, limit, before);
    for (const row of rows) this.#read(row);
    return rows;
  }

  // DynamoDB bills the larger of the row before and the row after the update, also if a condition is false.
  // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
  async update(key: Key, update: Update): Promise<Row | undefined> {
    const row = await this.#store.update(key, update);
    const before = this.#sizes.get(keyText(key)) ?? 0;
    const after = row === undefined ? before : sizeOf(row);
    this.#sizes.set(keyText(key), after);
    this.updates++;
    this.writeUnits += Math.max(1, Math.ceil(Math.max(before, after) / WRITE_UNIT_BYTES));
    return row;
  }

  #read(row: Row | undefined): void {
    this.readUnits += Math.max(1, Math.ceil((row === undefined ? 0 : sizeOf(row)) / READ_UNIT_BYTES));
  }
}

/**
 * The bytes of a row, as DynamoDB bills them.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
const sizeOf = (row: Row): number =>
  Object.entries(row).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOfValue(value), 0);

function sizeOfValue(value: Value | undefined): number {
  if (value === undefined) return 0;
  if (typeof value === "string") return Buffer.byteLength(value);
  if (typeof value === "number") return sizeOfNumber(value);
  if (typeof value !== "object" || value === null) return 1;
  // A collection has 3 bytes and one more for each member.
  if (value instanceof Set) return [...value].reduce((sum, number) => sum + 1 + sizeOfNumber(number), 3);
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + 1 + sizeOfValue(each), 3);
  return Object.entries(value).reduce(
    (sum, [name, each]) => sum + 1 + Buffer.byteLength(name) + sizeOfValue(each as Value),
    3,
  );
}

/** About one byte for two digits, and one more. */
const sizeOfNumber = (number: number): number => Math.ceil(String(Math.abs(number)).length / 2) + (number < 0 ? 2 : 1);
