import { describe, expect, test } from "vitest";
import { scanExitCode } from "../../../../cli/dlq/scan-exit-code.ts";
import { allReadText, noneMatchesText, readText } from "../../../../cli/screens/dlq/scan-counts.ts";
import type { Target } from "../../../../cli/targets/target.ts";
import type { ScanResult } from "../../../../shared/dead-letters/scan.ts";

const whole: ScanResult = { looked: 108, heldElsewhere: 0, approximate: false, complete: true, stoppedBy: undefined };
const part: ScanResult = { ...whole, looked: 28, heldElsewhere: 80, complete: false };
const target = { workflow: "cities", where: "this machine" } as Target;

describe("the exit code of a scan", () => {
  test.each([
    [0, whole, 5, undefined],
    [3, whole, 0, undefined],
    [0, { ...whole, looked: 0 }, 0, undefined],
    [2, part, 5, undefined],
    // A match may be among those that others hold.
    [2, part, 0, undefined],
    [2, { ...part, looked: 0 }, 0, undefined],
    // If all named ones were found, it does not matter what others hold.
    [0, part, 5, 5],
    [2, part, 4, 5],
    [2, { ...whole, stoppedBy: "in-flight limit" as const }, 5, undefined],
    [130, { ...part, stoppedBy: "interruption" as const }, 5, undefined],
  ])("is %i for %o, if %i match and %o are named", (code, result, found, named) => {
    expect(scanExitCode(result, found, named)).toBe(code);
  });
});

test("a scan says how many dead letters it read, and of how many", () => {
  expect(allReadText(whole)).toBe("108 dead letters");
  expect(allReadText(part)).toBe("28 of 108 dead letters");
  expect(allReadText({ ...part, approximate: true })).toBe("28 of about 108 dead letters");
  expect(allReadText({ ...whole, stoppedBy: "in-flight limit" })).toBe("at least 108 dead letters");
  expect(readText(whole)).toBe("108 dead letters");
  expect(readText(part)).toBe("the 28 dead letters that could be read (108 in all)");
  expect(noneMatchesText(target, whole)).toBe("cities on this machine: none of 108 dead letters matches the filters");
  expect(noneMatchesText(target, { ...whole, looked: 0 })).toBe("cities on this machine: no dead letters");
  expect(noneMatchesText(target, { ...part, looked: 0, heldElsewhere: 1 })).toBe(
    "cities on this machine: none of 1 dead letter could be read",
  );
});
