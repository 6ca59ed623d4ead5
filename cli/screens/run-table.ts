import { table } from "./format.ts";

/** The headers of the list of runs. */
export const RUN_COLUMNS = [
  "workflow",
  "run",
  "status",
  "produced",
  "succeeded",
  "dead",
  "pending",
  "cancelled",
  "retried",
  "wall time",
];

/** The workflow, the run and its status are shown on every terminal. */
const LEAST_COLUMNS = 3;

/** The rows as a table. On a terminal that is too narrow, the last columns are left out. */
export function fittingTable(rows: readonly (readonly string[])[]): string {
  const { columns = Number.POSITIVE_INFINITY } = process.stdout;
  for (let shown = RUN_COLUMNS.length; ; shown--) {
    const text = table(
      rows.map((row) => row.slice(0, shown)),
      "",
      LEAST_COLUMNS,
    );
    if (shown <= LEAST_COLUMNS || text.indexOf("\n") <= columns) return text;
  }
}
