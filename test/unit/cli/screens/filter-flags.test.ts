import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { where } from "../../../../cli/options/where.ts";
import { filterFlags, quoted } from "../../../../cli/screens/dlq/filter-flags.ts";

test("filters are suggested again as they were typed", () => {
  const filters = {
    json: false,
    reason: ["invalid item", "permanent"],
    error: ["ECONNREFUSED", "not found"],
    since: { text: "2h", at: 0 },
    text: ["no route"],
    where: where("item.id == `5`"),
  } as const;
  expect(filterFlags(filters)).toBe(
    " --reason invalid-item --reason permanent --error ECONNREFUSED --error 'not found' --since 2h --text 'no route' --where 'item.id == `5`'",
  );
  expect(filterFlags(filters, "error")).not.toContain("--error");
  expect(filterFlags({ json: false })).toBe("");
});

test.each(["plain", "two words", "it's", '$HOME `id` "x" \\', "", "*", "-n"])(
  "a shell reads %j as one word",
  (word) => {
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(word)}`], { encoding: "utf8" })).toBe(word);
  },
);
