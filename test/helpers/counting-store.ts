import type { Key, Row } from "../../shared/aws/table.ts";
import { MemoryStore } from "./memory-store.ts";

/** A ledger store in memory that notes how many rows each request for several rows asks for. */
export class CountingStore extends MemoryStore {
  readonly asked: number[] = [];

  override async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    this.asked.push(keys.length);
    return await super.getMany(keys);
  }
}
