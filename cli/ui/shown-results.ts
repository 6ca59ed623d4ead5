import { openResultSet, type ResultSet } from "../../shared/results/read-results.ts";
import type { ResultsView } from "../../ui/server/api.ts";
import { RequestError } from "../../ui/server/request-error.ts";
import { rowFormat } from "../results/rows.ts";
import type { Target } from "../targets/target.ts";

/** How many rows of the results the page shows, and how much of each. */
const SHOWN = 20;
const LONGEST_ROW = 2_000;

/** The first rows of a run's results. */
export async function firstResults(target: Target, run: string): Promise<ResultsView> {
  const set = await resultSet(target, run);
  const first: string[] = [];
  for await (const { lines } of set.lines()) {
    const text = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength).toString();
    for (const line of text.split("\n", SHOWN + 1)) {
      if (line !== "" && first.length < SHOWN) first.push(line.slice(0, LONGEST_ROW));
    }
    if (first.length >= SHOWN) break;
  }
  return { rows: set.expectedRows, first, url: set.store.url, problem: null };
}

/** All results of a run. */
export async function* allResults(
  target: Target,
  run: string,
  format: "jsonl" | "csv",
): AsyncGenerator<string | Uint8Array> {
  const set = await resultSet(target, run);
  const include = set.run?.results?.include ?? [];
  const rows = await rowFormat(set, { format, include });
  for await (const { content } of rows.rows()) yield content;
}

async function resultSet({ openResults, services, where }: Target, run: string): Promise<ResultSet> {
  const store = await openResults();
  if (store === undefined) throw new RequestError(409, `${where} keeps no results: add results: true to the workflow`);
  return await openResultSet({ store, ledgerStore: services.store, runs: services.runs }, run);
}
