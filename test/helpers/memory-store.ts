import {
  type Condition,
  type Key,
  keyText,
  type LedgerStore,
  type Row,
  type Update,
  type Value,
} from "../../shared/aws/table.ts";
import { checkExpressions } from "./expression-limits.ts";

/** The ledger's rows in memory, with the semantics of DynamoDB. It refuses expressions that DynamoDB would refuse. */
export class MemoryStore implements LedgerStore {
  readonly #rows = new Map<string, Record<string, Value>>();

  /** Deletes a row, as DynamoDB does when it has expired. */
  delete(key: Key): void {
    this.#rows.delete(keyText(key));
  }

  /** Deletes all rows. */
  clear(): void {
    this.#rows.clear();
  }

  async get(key: Key): Promise<Row | undefined> {
    return copied(this.#rows.get(keyText(key)));
  }

  async getMany(keys: readonly Key[]): Promise<ReadonlyMap<string, Row>> {
    const found = new Map<string, Row>();
    for (const key of keys) {
      const row = this.#rows.get(keyText(key));
      if (row !== undefined) found.set(keyText(key), copied(row));
    }
    return found;
  }

  async update(key: Key, update: Update): Promise<Row | undefined> {
    // Small expressions, which most are, need no closer look.
    if (sizeOf(update) > 20) checkExpressions(update);
    const row = updated(key, this.#rows.get(keyText(key)), update);
    if (row === undefined) return undefined;
    this.#rows.set(keyText(key), row);
    return copied(row);
  }

  async newest(pk: string, limit: number, before?: string): Promise<readonly Row[]> {
    return [...this.#rows.values()]
      .filter((row) => row.pk === pk && (before === undefined || String(row.sk) < before))
      .sort((a, b) => (String(a.sk) < String(b.sk) ? 1 : -1))
      .slice(0, limit)
      .map((row) => copied(row));
  }
}

/** How many attributes an update names. */
const sizeOf = ({ set = {}, add = {}, remove = [], when = [] }: Update): number =>
  Object.keys(set).length + Object.keys(add).length + remove.length + when.length;

/** A deep copy. `structuredClone`, which can copy more than rows, takes several times as long. */
function copied<Thing>(thing: Thing): Thing;
function copied(thing: unknown): unknown {
  if (typeof thing !== "object" || thing === null) return thing;
  if (thing instanceof Set) return new Set(thing);
  if (Array.isArray(thing)) return thing.map(copied);
  return Object.fromEntries(Object.entries(thing).map(([name, content]) => [name, copied(content)]));
}

/** The row after an update, or `undefined` if a condition does not hold. The row before it is not changed. */
export function updated(key: Key, before: Row | undefined, update: Update): Record<string, Value> | undefined {
  refuseOverlaps(update);
  if (!(update.when ?? []).every((condition) => holds(condition, before ?? {}))) return undefined;
  const row: Record<string, Value> = { ...(before as Record<string, Value>), pk: key.pk, sk: key.sk };
  for (const [attribute, value] of Object.entries(update.set ?? {})) {
    if (value !== undefined) row[attribute] = copied(value);
  }
  for (const [attribute, members] of Object.entries(update.add ?? {})) {
    if (members.length > 0) row[attribute] = new Set([...asSet(row[attribute]), ...members]);
  }
  for (const [attribute, by] of Object.entries(update.increase ?? {}))
    row[attribute] = Number(row[attribute] ?? 0) + by;
  for (const attribute of update.remove ?? []) delete row[attribute];
  return row;
}

/**
 * DynamoDB refuses an expression in which an attribute is set and removed, or changed twice in another way.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
 */
function refuseOverlaps({ set = {}, add = {}, increase = {}, remove = [] }: Update): void {
  const changed = new Set(Object.keys(set).filter((attribute) => set[attribute] !== undefined));
  const others = [...Object.keys(add).filter((name) => add[name]?.length !== 0), ...Object.keys(increase), ...remove];
  for (const attribute of others) {
    if (changed.has(attribute)) throw new Error(`two changes of the attribute ${attribute} overlap in one expression`);
    changed.add(attribute);
  }
}

function holds(condition: Condition, row: Row): boolean {
  if ("absent" in condition) return row[condition.absent] === undefined;
  if ("equals" in condition) {
    const [attribute, value] = condition.equals;
    if (value === undefined) throw new Error(`DynamoDB refuses a condition on ${attribute} without a value`);
    return row[attribute] === value;
  }
  if ("oneOf" in condition) return condition.oneOf[1].includes(String(row[condition.oneOf[0]]));
  if ("atMost" in condition) {
    const value = row[condition.atMost[0]];
    return typeof value === "number" && value <= condition.atMost[1];
  }
  return !asSet(row[condition.lacks[0]]).has(condition.lacks[1]);
}

function asSet(value: Value | undefined): Set<number> {
  return value instanceof Set ? value : new Set();
}
