import { setTimeout } from "node:timers/promises";
import type { Key, LedgerStore, Row, Update } from "../../../shared/aws/table.ts";
import { keyText } from "../../../shared/aws/table.ts";
import { MOST_ATTEMPTS } from "../../../shared/aws/timeouts.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import type { Random } from "../random.ts";
import type { StruckFaults } from "../struck-faults.ts";
import type { Latency } from "./latency.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/** The table of a simulated run. It outlives all processes. */
export class SimulatedTable {
  readonly #rows = new MemoryStore();
  readonly #keys = new Map<string, Key>();
  /** Called after each change of a row. */
  onUpdate: (row: Row) => void = () => {};

  get(key: Key): Promise<Row | undefined> {
    return this.#rows.get(key);
  }

  async update(key: Key, update: Update): Promise<Row | undefined> {
    const row = await this.#rows.update(key, update);
    if (row === undefined) return undefined;
    this.#keys.set(keyText(key), key);
    this.onUpdate(row);
    return row;
  }

  newest(...query: Parameters<LedgerStore["newest"]>): Promise<readonly Row[]> {
    return this.#rows.newest(...query);
  }

  async all(): Promise<readonly Row[]> {
    const rows = await Promise.all([...this.#keys.values()].map((key) => this.#rows.get(key)));
    return rows.filter((row) => row !== undefined);
  }
}

export interface TableAccess {
  readonly table: SimulatedTable;
  readonly faults: StruckFaults;
  readonly latency: Latency;
  readonly random: Random;
  /** Whether the service answers at all. */
  readonly isUp: () => boolean;
  /** Called with the number of rows of each batch that is read. */
  readonly onBatchOfRows?: ((rows: number) => void) | undefined;
}

/** The table, as a process reaches it: with latency, faults and the retries of the SDK. */
export class ProcessTable implements LedgerStore {
  readonly #process: SimulatedProcess;
  readonly #access: TableAccess;

  constructor(process: SimulatedProcess, access: TableAccess) {
    this.#process = process;
    this.#access = access;
  }

  get(key: Key): Promise<Row | undefined> {
    return this.#request("GetItem", (table) => table.get(key));
  }

  async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    const distinct = [...new Map(keys.map((key) => [keyText(key), key])).values()];
    if (distinct.length > 0) this.#access.onBatchOfRows?.(distinct.length);
    // DynamoDB reads the rows of a batch one by one: others may change them in between.
    const rows = await Promise.all(distinct.map((key) => this.#request("BatchGetItem", (table) => table.get(key))));
    const found = new Map<string, Row>();
    for (const [position, key] of distinct.entries()) {
      const row = rows[position];
      if (row !== undefined) found.set(keyText(key), row);
    }
    return found;
  }

  update(key: Key, update: Update): Promise<Row | undefined> {
    return this.#request("UpdateItem", (table) => table.update(key, update));
  }

  newest(...query: Parameters<LedgerStore["newest"]>): Promise<readonly Row[]> {
    return this.#request("Query", (table) => table.newest(...query));
  }

  async #request<Answer>(action: string, perform: (table: SimulatedTable) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#process.send(() => this.#attempt(action, perform));
      if ("answer" in answer) return answer.answer;
      if (attempt === MOST_ATTEMPTS) throw new Error(`DynamoDB: ${action}: ${answer.fault} (an injected fault)`);
      await setTimeout(this.#access.random.next() * 50 * 2 ** attempt);
    }
  }

  async #attempt<Answer>(
    action: string,
    perform: (table: SimulatedTable) => Promise<Answer>,
  ): Promise<{ readonly answer: Answer } | { readonly fault: string }> {
    const { table, faults, latency, isUp } = this.#access;
    await latency.pass();
    // The process may have been killed before its request arrived.
    if (!this.#process.isAlive || !isUp()) return { fault: "no connection" };
    const fault = faults.ofRequest(action, undefined);
    if (fault === "timeout") await setTimeout(faults.settings.timeoutMs);
    if (fault !== undefined && fault !== "lostResponse") return { fault };
    const answer = await perform(table);
    await latency.pass();
    return fault === undefined ? { answer } : { fault };
  }
}
