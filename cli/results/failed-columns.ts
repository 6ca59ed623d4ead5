import { jsonText } from "../../shared/base/exact-json.ts";
import type { IncludedField } from "../../shared/definition/results-options.ts";
import type { FailedItem } from "./rows.ts";

/** With more fields than this, each item is one column, as JSON. */
const MOST_FIELDS = 1_000;

/** The item as one column, as JSON. */
const WHOLE_ITEM = "item";

/** What every item that failed has. */
type About = "reason" | "error" | "attempts" | "deadLetter";

const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The columns of items that failed: why, and the fields of the items. */
export class FailedColumns {
  readonly #fields = new Set<string>();
  readonly #include: readonly IncludedField[];
  #isWhole = false;
  #hasOthers = false;

  /** @param include The fields that the rows of results have, too: those columns hold the same of an item that failed. */
  constructor(include: readonly IncludedField[]) {
    this.#include = include;
  }

  /** Learns the fields of an item. All items are learnt before the first one is written. */
  learn(item: unknown): void {
    if (this.#isWhole) return;
    if (isPlainObject(item)) for (const field of Object.keys(item)) this.#fields.add(field);
    else this.#isWhole = true;
    if (this.#fields.size > MOST_FIELDS) this.#isWhole = true;
  }

  /** The names of the columns. */
  get names(): readonly string[] {
    return [...this.#about, ...this.#itemNames];
  }

  get #about(): readonly About[] {
    return this.#include.includes("attempts")
      ? ["reason", "error", "deadLetter"]
      : ["reason", "error", "attempts", "deadLetter"];
  }

  get #itemNames(): readonly string[] {
    if (this.#include.includes("item")) return [];
    return this.#isWhole ? [WHOLE_ITEM] : [...this.#fields].map((field) => `${WHOLE_ITEM}.${field}`);
  }

  /** The cell of an item in a column that the rows of results have. */
  included(name: string, { item, failures }: FailedItem): string {
    if (!this.#include.some((field) => field === name)) return "";
    return name === "item" ? (jsonText(item) ?? "") : name === "attempts" ? String(failures.length) : "";
  }

  /** Whether an item was written that has fields without a column, because it failed after all columns were learnt. */
  get hasOthers(): boolean {
    return this.#hasOthers;
  }

  /** The cells of an item, in the order of the columns. */
  cells({ item, reason, error, failures, id }: FailedItem): readonly string[] {
    const all: Readonly<Record<About, string>> = {
      reason,
      error: `${error.name}: ${error.message}`,
      attempts: String(failures.length),
      deadLetter: id,
    };
    const about = this.#about.map((name) => all[name]);
    if (this.#include.includes("item")) return about;
    if (this.#isWhole) return [...about, jsonText(item) ?? ""];
    const fields = isPlainObject(item) ? item : {};
    if (!isPlainObject(item) || Object.keys(item).some((field) => !this.#fields.has(field))) this.#hasOthers = true;
    return [...about, ...[...this.#fields].map((field) => cellOf(fields[field]))];
  }
}

/** Texts and numbers as they are, everything else as JSON. Numbers stay exact. */
const cellOf = (value: unknown): string =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : (jsonText(value) ?? "");
