import { describe, expect, test } from "vitest";
import { readRunRow } from "../../../shared/ledger/run-record.ts";
import { liveCounts } from "../../../shared/observe/live-counts.ts";

const NONE = { succeeded: 0, retried: 0, dead: 0 };

const runWith = (items: number) => readRunRow({ id: "r1", workflow: "test", status: "running", items, checkpoints: 1 });

describe("the live counts", () => {
  test("are the counts before the command and the reports since", () => {
    const fleet = { succeeded: 30, retried: 4, deadByReason: { permanent: 2, exhausted: 1 } };
    expect(liveCounts(runWith(100), fleet, { succeeded: 10, retried: 1, dead: 5 })).toEqual({
      produced: 100,
      succeeded: 40,
      retried: 5,
      dead: 8,
      settled: 48,
    });
  });

  test.each([
    ["a message was delivered twice", { succeeded: 101, retried: 0, deadByReason: {} }, { succeeded: 100, dead: 0 }],
    [
      "a dead item was reported twice",
      { succeeded: 99, retried: 0, deadByReason: { permanent: 2 } },
      { succeeded: 98, dead: 2 },
    ],
    [
      "more dead items were reported than exist",
      { succeeded: 0, retried: 0, deadByReason: { permanent: 120 } },
      { succeeded: 0, dead: 100 },
    ],
  ])("never exceed what was produced, although %s", (_, fleet, expected) => {
    const counts = liveCounts(runWith(100), fleet, NONE);
    expect(counts).toMatchObject({ ...expected, settled: 100 });
  });

  test("wait for the checkpoint that counts the page of items that have settled", () => {
    const fleet = { succeeded: 60, retried: 0, deadByReason: {} };
    expect(liveCounts(runWith(50), fleet, NONE)).toMatchObject({ produced: 50, succeeded: 50 });
    expect(liveCounts(runWith(250), fleet, NONE)).toMatchObject({ produced: 250, succeeded: 60 });
  });
});
