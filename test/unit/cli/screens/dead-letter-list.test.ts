import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { DeadLetterList } from "../../../../cli/screens/dlq/dead-letter-list.ts";
import type { Target } from "../../../../cli/targets/target.ts";
import { toDeadLetter } from "../../../../shared/dead-letters/read-dead-letter.ts";
import type { ScanResult } from "../../../../shared/dead-letters/scan.ts";

function deadLetter(run: string, index: number) {
  const failures = [
    {
      attempt: 1,
      at: "2026-11-25T08:00:01.000Z",
      durationMilliseconds: 33,
      kind: "threw",
      name: "Error",
      message: "refused",
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
