import { type Key, keyText, type LedgerStore, type Row, type Update, type Value } from "../shared/aws/table.ts";

/**
 * Rows in memory, for the warm-ups. It is a table in which every condition is true, because only one writer uses it.
 */
export class WarmUpStore implements LedgerStore {
  readonly #rows = new Map<string, Row>();

  async get(key: Key): Promise<Row | undefined> {
    return this.#rows.get(keyText(key));
  }

  async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    return new Map(keys.flatMap((key) => this.#entry(keyText(key))));
  }

  async update(key: Key, { set = {}, add = {}, increase = {} }: Update): Promise<Row> {
    const before = this.#rows.get(keyText(key)) ?? {};
    const row: Record<string, Value | undefined> = { ...key, ...before, ...set };
    for (const [name, members] of Object.entries(add)) {
      row[name] = new Set([...((before[name] as Set<number> | undefined) ?? []), ...members]);
    }
    for (const [name, by] of Object.entries(increase)) row[name] = Number(before[name] ?? 0) + by;
    this.#rows.set(keyText(key), row);
    return row;
  }

  async newest(): Promise<readonly Row[]> {
    return [];
  }

  #entry(text: string): readonly [string, Row][] {
    const row = this.#rows.get(text);
    return row === undefined ? [] : [[text, row]];
  }
}
