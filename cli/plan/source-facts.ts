import { toError } from "../../shared/base/errors.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { textOf } from "../../shared/producer/serialised.ts";
import { type FirstPage, readFirstPage } from "../try/first-page.ts";

/**
 * Where the number of items comes from.
 *
 * - `known`: the first page is the whole source, or the source counted its items.
 * - `estimated`: the source estimates it, such as a database from its statistics.
 * - `given`: the option `--items`.
 * - `limited`: the workflow's option `limit`. The source may have fewer.
 * - `assumed`: nothing is known. The plan is for a round number.
 */
export type Basis = "known" | "estimated" | "given" | "limited" | "assumed";

/** What a workflow's source tells before a run reads it. */
export interface SourceFacts {
  readonly items: number;
  readonly basis: Basis;
  /** How many partitions the source offers. `undefined`: it cannot be divided. */
  readonly partitions: number | undefined;
  readonly page: {
    readonly items: number;
    /** How long it took to read, from this machine. */
    readonly seconds: number;
    /** Of an item as JSON, on average. */
    readonly bytesPerItem: number;
    /** Whether the source ends with it. */
    readonly isLast: boolean;
  };
  readonly warnings: readonly string[];
}

/** The number of items for which the plan is made if nothing is known. */
const ASSUMED_ITEMS = 1_000_000;

/**
 * Reads the first page of a workflow's source, and asks the source for its size and its partitions.
 *
 * @param given The number of items, instead of what the source says.
 * @throws {SourceError} The source cannot be read.
 * @throws {SourceWait} The service asked the source to wait.
 */
export async function sourceFacts(
  workflow: Pick<Workflow, "source" | "limit">,
  { given, now = () => performance.now() }: { readonly given?: number | undefined; readonly now?: () => number } = {},
): Promise<SourceFacts> {
  const begunAt = now();
  const page = await readFirstPage(workflow);
  const seconds = (now() - begunAt) / 1_000;
  const warnings = new Set(page.warnings);
  const { signal } = new AbortController();
  const context = { signal, warn: (text: string) => void warnings.add(text) };
  const optional = async <Found>(what: string, ask: () => Promise<Found> | Found): Promise<Found | undefined> => {
    try {
      return await ask();
    } catch (thrown) {
      warnings.add(`${what} of the source are not known: ${toError(thrown).message}`);
      return undefined;
    }
  };
  const { source } = workflow;
  const partitions = await optional("the partitions", () => source.partitions?.(context));
  const size =
    given !== undefined || page.next === undefined
      ? undefined
      : await optional("the number and the size", () => source.size?.(context));
  const bytes = page.items.reduce((sum, item) => sum + Buffer.byteLength(textOf(item)), 0);
  return {
    ...itemsOf(page, size, given, workflow.limit),
    partitions: partitions?.length,
    page: {
      items: page.items.length,
      seconds,
      bytesPerItem: page.items.length === 0 ? 0 : bytes / page.items.length,
      isLast: page.next === undefined,
    },
    warnings: [...warnings],
  };
}

function itemsOf(
  page: FirstPage,
  size: { readonly items: number; readonly isExact: boolean } | undefined,
  given: number | undefined,
  limit = Number.POSITIVE_INFINITY,
): { readonly items: number; readonly basis: Basis } {
  const bounded = (items: number, basis: Basis) => ({ items: Math.min(Math.round(items), limit), basis });
  if (page.next === undefined) return bounded(page.items.length, "known");
  if (given !== undefined) return bounded(given, "given");
  if (size === undefined) {
    return limit < Number.POSITIVE_INFINITY
      ? { items: limit, basis: "limited" }
      : { items: ASSUMED_ITEMS, basis: "assumed" };
  }
  // An estimate can be older than the rows of the first page.
  return bounded(Math.max(size.items, page.items.length), size.isExact ? "known" : "estimated");
}
