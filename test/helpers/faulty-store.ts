import type { Key, LedgerStore, Row, Update } from "../../shared/aws/table.ts";
import { MemoryStore } from "./memory-store.ts";

/** A ledger store in memory that notes its calls, and fails when it is told to. */
export class FaultyStore implements LedgerStore {
  readonly #store = new MemoryStore();
  readonly updates: Key[] = [];
  reads = 0;
  /** Called before each operation; it waits for what it returns, and throws what it throws. */
  before: (operation: "get" | "getMany" | "update" | "newest", key?: Key, update?: Update) => unknown = () => {};

  /** Deletes a row, as DynamoDB does when it has expired. */
  delete(key: Key): void {
    this.#store.delete(key);
  }

  async get(key: Key): Promise<Row | undefined> {
    await this.before("get", key);
    this.reads++;
    return await this.#store.get(key);
  }

  async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    await this.before("getMany", keys[0]);
    this.reads++;
    return await this.#store.getMany(keys);
  }

  async update(key: Key, update: Update): Promise<Row | undefined> {
    await this.before("update", key, update);
    this.updates.push(key);
    return await this.#store.update(key, update);
  }

  async newest(pk: string, limit: number, before?: string): Promise<readonly Row[]> {
    await this.before("newest");
    return await this.#store.newest(pk, limit, before);
  }
}
