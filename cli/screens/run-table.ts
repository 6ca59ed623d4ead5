import { table } from "./format.ts";
import { linesOf } from "./terminal-width.ts";

/** The headers of the list of runs. */
const HEADERS = [
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
] as const;

type Header = (typeof HEADERS)[number];

/** A row of the list of runs: a text for each header. */
export type RunRow = Readonly<Record<Header, string>>;

/** These columns are aligned to the left, and shown on every terminal. */
const LEAST_COLUMNS = 3;
/** The columns that a narrow terminal does not show: first these, while the name of the workflow stays whole. */
const BEFORE_THE_NAME_IS_CUT: readonly Header[] = ["wall time", "retried", "cancelled", "produced"];
/** Then these, if the name of the workflow would be too short otherwise. */
const AFTER_THE_NAME_IS_CUT: readonly Header[] = ["pending", "succeeded", "dead"];
/** The name of a workflow is not cut to less. */
const SHORTEST_NAME = 16;

/** The rows as a table. On a terminal that is too narrow, columns are left out, and long names of workflows are cut. */
export function runTable(rows: readonly RunRow[], width = Number.POSITIVE_INFINITY): string {
  const left = new Set<Header>(HEADERS);
  let text = drawn(rows, left);
  for (const header of BEFORE_THE_NAME_IS_CUT) {
    if (widthOfTable(text) <= width) return text;
    left.delete(header);
    text = drawn(rows, left);
  }
  const longest = Math.max(...rows.map(({ workflow }) => workflow.length), HEADERS[0].length);
  for (const header of [undefined, ...AFTER_THE_NAME_IS_CUT]) {
    if (header !== undefined) left.delete(header);
    text = drawn(rows, left);
    const nameWidth = longest - (widthOfTable(text) - width);
    if (nameWidth >= longest) return text;
    if (nameWidth >= SHORTEST_NAME) return drawn(rows, left, nameWidth);
  }
  return drawn(rows, left, SHORTEST_NAME);
}

function drawn(rows: readonly RunRow[], shown: ReadonlySet<Header>, nameWidth = Number.POSITIVE_INFINITY): string {
  const headers = HEADERS.filter((header) => shown.has(header));
  const cell = (row: RunRow, header: Header) =>
    header === "workflow" && row.workflow.length > nameWidth ? `${row.workflow.slice(0, nameWidth - 1)}…` : row[header];
  const cells = rows.map((row) => headers.map((header) => cell(row, header)));
  return table([headers, ...cells], "", LEAST_COLUMNS);
}

const widthOfTable = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

/** A run in the list, before the list is fitted to the terminal. */
export interface ListedRun {
  readonly row: RunRow;
  readonly isActive: boolean;
}

/**
 * The runs that a terminal has room for, in their order: all active runs, and the latest runs of each workflow.
 *
 * @param runs Those of a workflow stand together, the latest first.
 * @param room How many rows fit. `undefined`: any number.
 */
export function fittingRuns(runs: readonly ListedRun[], room: number | undefined): readonly ListedRun[] {
  if (room === undefined || runs.length <= room) return runs;
  const ranks = new Map<string, number>();
  const ranked = runs.map((run) => {
    const { workflow } = run.row;
    const rank = run.isActive ? -1 : (ranks.get(workflow) ?? 0);
    if (!run.isActive) ranks.set(workflow, rank + 1);
    return { run, rank };
  });
  // The sort is stable: of two runs with the same rank, the first one stays.
  const kept = new Set(
    ranked
      .toSorted((a, b) => a.rank - b.rank)
      .slice(0, Math.max(1, room))
      .map(({ run }) => run),
  );
  return runs.filter((run) => kept.has(run));
}

/** How many rows of runs fit, if these notes stand below them. */
export const roomForRuns = (room: number | undefined, notes: readonly string[]): number | undefined =>
  // One line is the header.
  room === undefined ? undefined : room - 1 - notes.reduce((sum, note) => sum + linesOf(note), 0);
