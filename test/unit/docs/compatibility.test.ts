import { expect, test } from "vitest";
import { COMBINATIONS } from "../../../tools/compatibility/combinations.ts";
import { page } from "../../helpers/pages.ts";

const rows = page("docs/compatibility.md")
  .text.split("\n")
  .filter((line) => line.startsWith("| `"));
const rowOf = (name: string) => rows.find((row) => row.startsWith(`| \`${name}\` |`)) ?? "";

test("the table of compatibility has a walk of each combination", () => {
  expect(rows.map((row) => row.split("`")[1])).toEqual(COMBINATIONS.map(({ name }) => name));
  expect(rows.filter((row) => row.includes("not tried"))).toEqual([]);
});

test("with npm and pnpm, each step succeeds on each Node", () => {
  for (const { name } of COMBINATIONS.filter(({ packageManager }) => packageManager !== "yarn")) {
    expect(rowOf(name), name).toMatch(/(\| yes ){6}\|$/);
  }
});
