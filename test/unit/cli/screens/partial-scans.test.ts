import { describe, expect, test } from "vitest";
import { passCode } from "../../../../cli/dlq/scan-exit-code.ts";
import { lookedAtWords, noneOf, seenWords } from "../../../../cli/screens/dlq/scan-counts.ts";
import type { Target } from "../../../../cli/targets/target.ts";
import type { PassResult } from "../../../../shared/dead-letters/pass.ts";

const whole: PassResult = { looked: 108, heldElsewhere: 0, approximate: false, complete: true, stoppedBy: undefined };
const part: PassResult = { ...whole, looked: 28, heldElsewhere: 80, complete: false };
const target = { workflow: "cities", where: "this machine" } as Target;

describe("The exit code of a look", () => {
  test.each([
    [0, whole, 5, undefined],
    [3, whole, 0, undefined],
    [0, { ...whole, looked: 0 }, 0, undefined],
    [2, part, 5, undefined],
    // One that fits may be among those that others hold.
    [2, part, 0, undefined],
    [2, { ...part, looked: 0 }, 0, undefined],
    // By their ids all are there, or not.
    [0, part, 5, 5],
    [2, part, 4, 5],
    [2, { ...whole, stoppedBy: "in-flight limit" as const }, 5, undefined],
    [130, { ...part, stoppedBy: "interruption" as const }, 5, undefined],
  ])("is %i for %o, of which %i fit and %o are named", (code, result, found, named) => {
    expect(passCode(result, found, named)).toBe(code);
  });
});

test("a look says how many dead letters it saw, and of how many", () => {
  expect(seenWords(whole)).toBe("108 dead letters");
  expect(seenWords(part)).toBe("28 of 108 dead letters");
  expect(seenWords({ ...part, approximate: true })).toBe("28 of about 108 dead letters");
  expect(seenWords({ ...whole, stoppedBy: "in-flight limit" })).toBe("at least 108 dead letters");
  expect(lookedAtWords(whole)).toBe("108 dead letters");
  expect(lookedAtWords(part)).toBe("the 28 dead letters that could be looked at (108 in all)");
  expect(noneOf(target, whole)).toBe("cities on this machine: none of 108 dead letters fits");
  expect(noneOf(target, { ...whole, looked: 0 })).toBe("cities on this machine: no dead letters");
  expect(noneOf(target, { ...part, looked: 0, heldElsewhere: 1 })).toBe(
    "cities on this machine: none of 1 dead letter could be looked at",
  );
});
