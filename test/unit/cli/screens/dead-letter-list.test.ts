import { stripVTControlCharacters } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { DeadLetterList } from "../../../../cli/screens/dlq/dead-letter-list.ts";
import type { Target } from "../../../../cli/targets/target.ts";
import { toDeadLetter } from "../../../../shared/dead-letters/read-dead-letter.ts";
import type { ScanResult } from "../../../../shared/dead-letters/scan.ts";

afterEach(() => vi.useRealTimers());

function deadLetter(run: string, index: number, message = "refused") {
  const failures = [
    {
      attempt: 1,
      at: "2026-11-25T08:00:01.000Z",
      durationMilliseconds: 33,
      kind: "threw",
      name: "Error",
      message,
    },
  ];
  const dead = { reason: "permanent", at: "2026-11-25T08:00:02.000Z", redrives: 0, failures };
  const body = { sluice: 1, workflow: "cities", run, page: 0, index, epoch: 1, item: index, dead };
  return toDeadLetter(
    {
      id: `${run}-${index}`,
      receiptHandle: "",
      body: JSON.stringify(body),
      receiveCount: 1,
      attributes: {},
      systemAttributes: { SentTimestamp: "1764057600000" },
    },
    1_209_600,
  );
}

const target = { workflow: "cities", where: "this machine" } as Target;
const scanned = { looked: 3, heldElsewhere: 0, approximate: false, complete: true } as unknown as ScanResult;

/** The list of dead letters with `groups` different errors, as lines. The first error has two dead letters. */
function linesOfGroups(groups: number, room: number | undefined, limit?: number): readonly string[] {
  // Two weeks later, SQS would delete the dead letters soon, and a note would say so.
  vi.useFakeTimers({ now: Date.parse("2025-11-26T08:00:00.000Z"), toFake: ["Date"] });
  const list = new DeadLetterList("error", limit === undefined ? ({} as never) : ({ limit } as never));
  const letters = "abcdefghijklmnopqrstuvwxyz".slice(0, groups).split("");
  for (const [index, letter] of ["a", ...letters].entries()) {
    list.add(
      deadLetter("20261124-080000-aaaa", index, `the service refused ${letter.repeat(8)}: ${"because ".repeat(40)}`),
    );
  }
  return stripVTControlCharacters(list.toText(target, { ...scanned, looked: groups + 1 }, room)).split("\n");
}

function textOf(runs: readonly string[], by: "error" | "run" = "error"): string {
  const list = new DeadLetterList(by, { limit: 20 } as ConstructorParameters<typeof DeadLetterList>[1]);
  runs.forEach((run, index) => {
    list.add(deadLetter(run, index));
  });
  return stripVTControlCharacters(list.toText(target, scanned));
}

test("the dead letters of a second run can be told from those of the first", () => {
  const text = textOf(["20261124-080000-aaaa", "20261125-080000-bbbb", "20261124-080000-aaaa"]);
  expect(text).toContain("They are of several runs: 20261125-080000-bbbb (1), 20261124-080000-aaaa (2).");
  expect(text).toContain("One run: --run <id>. All runs: npx sluice dlq --by run");
});

test("the dead letters of one run need no such note", () => {
  expect(textOf(["20261124-080000-aaaa", "20261124-080000-aaaa"])).not.toContain("several runs");
});

test("a list by run shows the runs already", () => {
  expect(textOf(["20261124-080000-aaaa", "20261125-080000-bbbb"], "run")).not.toContain("several runs");
});

test("a terminal gets as many groups as fit below the heading, the largest first, and learns that there are more", () => {
  const lines = linesOfGroups(26, 16);
  expect(lines.length).toBeLessThanOrEqual(16);
  expect(lines[0]).toBe("cities on this machine: 27 dead letters");
  expect(lines[3]).toMatch(/^ +2 {2}permanent {2}Error: the service refused aaaaaaaa: /);
  expect(lines.at(-1)).toBe("15 more. Show all with: --limit 26");
});

test("a terminal gets all groups if they fit, and then no line says that there are more", () => {
  const lines = linesOfGroups(11, 14);
  expect(lines).toHaveLength(14);
  expect(lines.join("\n")).not.toContain("more. Show all");
});

test("a limit of the user counts more than the room", () => {
  const lines = linesOfGroups(26, 16, 20);
  expect(lines.length).toBeGreaterThan(22);
  expect(lines.at(-1)).toBe("6 more. Show all with: --limit 26");
});

test("without a terminal, 50 groups are shown in full", () => {
  expect(linesOfGroups(26, undefined).length).toBeGreaterThan(26 * 2);
});
