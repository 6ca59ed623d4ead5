import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runDetails } from "../../../../cli/screens/run-details.ts";
import type { RunTarget } from "../../../../cli/targets/target.ts";
import type { Counts } from "../../../../shared/ledger/run-record.ts";
import { readRunRow } from "../../../../shared/ledger/run-record.ts";

const NOW = new Date(2026, 10, 27, 14, 0, 0).getTime();

const COUNTS: Counts = {
  produced: 200,
  succeeded: 200,
  dead: 0,
  cancelled: 0,
  retried: 0,
  pending: 0,
  deadByReason: {},
};

beforeEach(() => vi.useFakeTimers({ now: NOW }));
afterEach(() => vi.useRealTimers());

function details(row: Record<string, unknown> = {}, running = true): string {
  const run = readRunRow({
    id: "r1",
    workflow: "test",
    status: "running",
    requestedAt: new Date(NOW - 3_600_000).toISOString(),
    checkpoints: 1,
    checkpointAt: NOW - 12 * 60_000,
    hop: 1,
    failedSlices: 1,
    ...row,
  });
  const target = { run, name: "test", workflow: "test", running } as unknown as RunTarget;
  return stripVTControlCharacters(runDetails(target, COUNTS));
}

test("a run that works says why its fleet is slow, and how often the service refused", () => {
  const run = readRunRow({ id: "r1", workflow: "test", status: "running", requestedAt: new Date(NOW).toISOString() });
  const target = { run, name: "test", workflow: "test", running: true } as unknown as RunTarget;
  const fleet = { held: "held at 12 in flight: the service throttles", throttled: 30 };
  const lines = stripVTControlCharacters(runDetails(target, COUNTS, fleet)).split("\n");
  expect(lines).toContain("the fleet is held at 12 in flight: the service throttles");
  expect(lines.some((line) => /^ {2}throttled +30 +in all runs$/.test(line))).toBe(true);
});

describe("on a terminal", () => {
  const lines = (changes: object, cutAt?: number) => {
    const row = readRunRow({ id: "r1", workflow: "test", status: "failed", requestedAt: new Date(NOW).toISOString() });
    const run = { ...row, ...changes };
    const target = { run, name: "test", workflow: "test", running: true } as unknown as RunTarget;
    return stripVTControlCharacters(runDetails(target, COUNTS, undefined, { cutAt })).split("\n");
  };
  const failure = `the source failed:\n${Array.from({ length: 30 }, (_, line) => `line ${line}`).join("\n")}`;
  const warnings = Array.from({ length: 9 }, (_, index) => `warning ${index} ${"word ".repeat(60)}`);

  test("a long failure and many warnings are cut, so that the counts stay visible, and a line says how to see all", () => {
    const shown = lines({ failure, warnings }, 80);
    expect(shown.slice(0, 4)).toEqual(["test · run r1 · failed", "the source failed:", "line 0", "… 29 more lines"]);
    expect(shown.filter((line) => line.startsWith("warning"))).toHaveLength(3);
    expect(shown).toContain("… 6 more warnings");
    expect(shown).toContain("All of it: npx sluice status r1 --json");
    expect(shown.findIndex((line) => line.includes("produced"))).toBeLessThan(18);
  });

  test("notes that fit have no such line, and elsewhere nothing is cut", () => {
    expect(lines({ failure: "no" }, 80).join("\n")).not.toContain("All of it");
    expect(lines({ failure, warnings })).toContain("line 29");
    expect(lines({ failure, warnings }).filter((line) => line.startsWith("warning"))).toHaveLength(9);
  });
});

describe("a run of a version of the code", () => {
  test("is shown with it, and with the change of the code under way", () => {
    expect(details({ codeVersion: "v1" })).toContain("\n  code       v1");
    expect(details({ codeVersion: "v1" })).not.toContain("changed under way");
    expect(details({ codeVersion: "v1", codeChange: { version: "v2", at: NOW } })).toContain(
      "\nthe code changed under way: the run began with v1, and v2 worked on it at 14:00:00\n",
    );
  });
});

describe("a run whose source yields no page", () => {
  const line = "the source has yielded no page for 12 min 0 s, since 13:48:00";

  test("is shown with the age of its latest page", () => {
    expect(details()).toContain(line);
    expect(details({ checkpointAt: undefined })).toContain("the source has yielded no page for 60 min 0 s");
  });

  test.each([
    ["its latest page is a minute old at most", { checkpointAt: NOW - 59_000 }, true],
    ["its source has ended", { ended: true }, true],
    ["it is paused", { status: "paused" }, true],
    ["it waits for its source", { waitUntil: NOW + 60_000, waitReason: "429" }, true],
    ["the queue is full", { fullAt: { at: NOW - 60_000, produced: 200, backlog: 200 } }, true],
    ["no engine works on it", {}, false],
  ])("is not mentioned if %s", (_, row, running) => {
    expect(details(row, running)).not.toContain("yielded no page");
  });
});
