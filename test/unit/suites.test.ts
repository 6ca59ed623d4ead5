import { existsSync, globSync, readFileSync } from "node:fs";
import { matchesGlob } from "node:path";
import { expect, test } from "vitest";
import { GATE, QUICK } from "../suites.ts";

const files = globSync("test/**/*.test.ts");

test("every test file is part of npm test or of the gate", () => {
  const parts = ["test/unit/**", ...QUICK, ...GATE.map(({ folder }) => `${folder}/**`)];
  expect(files.length).toBeGreaterThan(150);
  expect(files.filter((file) => !parts.some((part) => matchesGlob(file, part)))).toEqual([]);
});

test("every file of npm test is there, and every part of the gate has tests of its own", () => {
  expect(QUICK.filter((file) => !existsSync(file))).toEqual([]);
  for (const { folder } of GATE) {
    expect(
      files.filter((file) => matchesGlob(file, `${folder}/**`) && !QUICK.includes(file)),
      folder,
    ).not.toEqual([]);
  }
});

test("CONTRIBUTING.md lists every part", () => {
  const page = readFileSync("CONTRIBUTING.md", "utf8");
  for (const { folder, adds } of GATE) expect(page).toContain(`| \`${folder}\` | ${adds} |`);
  for (const file of QUICK) expect(page).toContain(`\`${file}\``);
});
