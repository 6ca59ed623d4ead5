import { describe, expect, test } from "vitest";
import { fittingRuns, type ListedRun, type RunRow, runTable } from "../../../../cli/screens/run-table.ts";

const row = (workflow: string, run: string, status = "completed"): RunRow => ({
  workflow,
  run,
  status,
  produced: "100,000",
  succeeded: "99,000",
  dead: "1,000",
  pending: "0",
  cancelled: "0",
  retried: "3",
  "wall time": "5.0 s",
});
const RUN = "20261128-172219-3d00";
const LONG = "customer-address-normalisation-nightly";

describe("the list of runs", () => {
  const headers = (text: string) => text.split("\n")[0]?.split(/ {2,}/);

  test("has all columns where there is room", () => {
    expect(headers(runTable([row("cities", RUN)]))).toEqual(headers(runTable([row("cities", RUN)], 200)));
    expect(headers(runTable([row("cities", RUN)], 200))).toHaveLength(10);
  });

  test("leaves out the least important columns on 80 columns", () => {
    const text = runTable([row("cities", RUN)], 80);
    expect(headers(text)).toEqual(["workflow", "run", "status", "produced", "succeeded", "dead", "pending"]);
  });

  test("shows what succeeded, died and is pending on 80 columns, however long the workflow's name is", () => {
    const text = runTable([row(LONG, RUN)], 80);
    expect(headers(text)).toEqual(["workflow", "run", "status", "succeeded", "dead", "pending"]);
    expect(text).toContain(`…  ${RUN}  completed`);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("leaves out more columns beside a long status, dead items last", () => {
    const text = runTable([row(LONG, RUN, "completed, 12 warnings")], 80);
    expect(headers(text)).toEqual(["workflow", "run", "status", "succeeded", "dead"]);
    expect(headers(runTable([row(LONG, RUN, "completed, 12 warnings")], 70))).toEqual([
      "workflow",
      "run",
      "status",
      "dead",
    ]);
  });
});

describe("the runs that a terminal has room for", () => {
  const ended = (workflow: string, run: string): ListedRun => ({ row: row(workflow, run), isActive: false });
  const active = (workflow: string, run: string): ListedRun => ({ row: row(workflow, run, "running"), isActive: true });
  const runs = [ended("a", "a3"), ended("a", "a2"), active("a", "a1"), ended("b", "b2"), ended("b", "b1")];
  const shown = (room: number | undefined) => fittingRuns(runs, room).map((each) => each.row.run);

  test("are all of them if they fit, or if the output is no terminal", () => {
    expect(shown(5)).toEqual(["a3", "a2", "a1", "b2", "b1"]);
    expect(shown(undefined)).toEqual(["a3", "a2", "a1", "b2", "b1"]);
  });

  test("are the active runs and the latest of each workflow, in their order", () => {
    expect(shown(4)).toEqual(["a3", "a2", "a1", "b2"]);
    expect(shown(3)).toEqual(["a3", "a1", "b2"]);
    expect(shown(1)).toEqual(["a1"]);
    expect(shown(0)).toEqual(["a1"]);
  });
});
