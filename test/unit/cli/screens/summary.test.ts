import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { formatSummary, type Summary } from "../../../../cli/screens/summary.ts";

const completed: Summary = {
  type: "summary",
  workflow: "cities",
  run: "20261122-083540-bff0",
  status: "completed",
  produced: 5_000,
  succeeded: 4_985,
  dead: 15,
  retried: 136,
  throttled: 0,
  wallSeconds: 20,
  peakInFlight: 50,
  deadByReason: { permanent: 7, exhausted: 8 },
  warnings: [],
  memoryMb: { producer: 100, consumer: 120 },
};
const none: Pick<Summary, "dead" | "deadByReason"> = { dead: 0, deadByReason: {} };

const formatted = (changes: Partial<Summary> = {}) =>
  stripVTControlCharacters(formatSummary({ ...completed, ...changes }, { name: "cities", concurrency: 50 }));

describe("a run's summary", () => {
  test("cuts a long error and many warnings on a terminal, and says how to see them whole", () => {
    const failure = `the service answered 400: {\n  "errors": [\n${"    7,\n".repeat(30)}  ]\n}`;
    const warnings = Array.from({ length: 9 }, (_, index) => `warning ${index} ${"word ".repeat(90)}`);
    const changes = { status: "failed", failure, warnings } as const;
    const context = { name: "cities", concurrency: 50, cutAt: 80 };
    const lines = stripVTControlCharacters(formatSummary({ ...completed, ...changes }, context)).split("\n");
    const first = lines.indexOf("  the service answered 400: {");
    expect(lines.slice(first, first + 5)).toEqual([
      "  the service answered 400: {",
      '    "errors": [',
      "      7,",
      "  … 31 more lines",
      "",
    ]);
    expect(lines.filter((line) => /^ {2}warning warning/.test(line))).toHaveLength(3);
    expect(lines).toContain("  … 6 more warnings");
    expect(lines).toContain("  All of it: npx sluice status 20261122-083540-bff0 --json");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(formatted({ failure: "no" })).not.toContain("All of it");
    const whole = formatted(changes);
    expect(whole).toContain(failure.split("\n").join("\n"));
    expect(whole.match(/warning warning/g)).toHaveLength(9);
  });

  test("says how often the service refused, and which limit the fleet has found", () => {
    const lines = formatted({ throttled: 1_204, held: "held at 19.6/s: the service throttles" }).split("\n");
    expect(lines).toContain("  throttled  1,204");
    expect(lines).toContain("  limit           held at 19.6/s: the service throttles");
  });

  test("shows the counts, the rate, and the dead letters by reason, the most frequent first", () => {
    expect(formatted().split("\n").slice(1, -5)).toEqual([
      "Completed with 15 dead letters  cities · run 20261122-083540-bff0",
      "",
      "  produced   5,000",
      "  succeeded  4,985",
      "  dead          15",
      "  retried      136",
      "",
      "  wall time       20 s (250/s)",
      "  peak in flight  50 of 50",
      "  peak memory     producer 100 MB, consumer 120 MB each",
      "",
      "  dead letters by reason",
      "    exhausted  8",
      "    permanent  7",
    ]);
  });

  test.each<[Partial<Summary>, string]>([
    [none, "Completed, every item succeeded"],
    [{ dead: 1 }, "Completed with 1 dead letter"],
    [{ ...none, warnings: ["odd"] }, "Completed with 1 warning, every item succeeded"],
    [{ status: "cancelled", cancelled: 3 }, "Cancelled"],
    [{ status: "failed" }, "Failed"],
  ])("with %j is headed: %s", (changes, headline) => {
    expect(formatted(changes)).toMatch(new RegExp(`^\n${headline}  cities`));
  });

  test("says why a run failed, or why its onComplete failed", () => {
    expect(formatted({ status: "failed", failure: "HTTP 503" })).toContain("\n  HTTP 503\n");
    expect(formatted({ completionError: "no mail" })).toContain(
      "\n  onComplete failed, and is not called again: no mail\n",
    );
  });

  test("escapes control characters in a reason that a service gave", () => {
    const hostile = "HTTP 400: \u009b2J";
    expect(formatted({ status: "failed", failure: hostile })).toContain("\n  HTTP 400: \\u009b2J\n");
    expect(formatted({ completionError: hostile })).toContain("is not called again: HTTP 400: \\u009b2J\n");
  });

  test("says below the reasons how all items failed, if all failed in the same way", () => {
    const text = formatted({ deadByReason: { "invalid item": 15 }, sameFailure: "all 15 items: `email` missing" });
    expect(text).toContain("\n    invalid item  15\n\n  all 15 items: `email` missing\n");
  });

  test("shows each warning on its own line, with control characters escaped", () => {
    const text = formatted({ warnings: ["no Link header", "two\nlines \u001b[2J"] });
    expect(text).toContain("\n  warning no Link header\n  warning two lines \\u001b[2J\n");
    expect(formatted()).not.toContain("warning");
  });

  test("suggests to resume a run whose source failed, and no other run", () => {
    const resume = "npx sluice resume cities";
    expect(formatted({ status: "failed" })).toContain(resume);
    expect(formatted({ status: "failed", cancelled: 3 })).not.toContain(resume);
    expect(formatted({ status: "cancelled", cancelled: 3 })).not.toContain(resume);
    expect(formatted()).not.toContain(resume);
  });

  test("suggests the errors if the source failed, because no task may have run, and else all lines", () => {
    const producer = "npx sluice logs cities --error  show the errors of the source";
    const consumer = /npx sluice logs cities +show what the tasks logged/;
    expect(formatted({ status: "failed" })).toContain(producer);
    expect(formatted({ status: "failed" })).not.toMatch(consumer);
    expect(formatted({ status: "failed", cancelled: 3 })).toMatch(consumer);
    expect(formatted()).toMatch(consumer);
    expect(formatted()).not.toContain(producer);
  });

  test("names the command that shows why items died, if some did", () => {
    expect(formatted()).toContain("npx sluice dlq ");
    expect(formatted(none)).not.toContain("npx sluice dlq ");
  });

  test("shows no reasons without dead letters, and no cancelled items if there are none", () => {
    expect(formatted(none)).not.toMatch(/dead letters by reason|cancelled/);
    expect(formatted({ cancelled: 1_200 })).toContain("\n  cancelled  1,200\n");
  });
});
