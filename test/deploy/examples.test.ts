import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, inject, test } from "vitest";
import { type Ended, Project } from "./project.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const project = new Project(join(inject("workspace"), "example"), {});

const succeeded = ({ code, stdout, stderr }: Ended) => {
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
};

beforeAll(async () => {
  cpSync(join(root, "examples/postcodes"), project.path, { recursive: true });
  const { scripts } = JSON.parse(readFileSync(join(project.path, "package.json"), "utf8"));
  // It installs the packed library with the versions of the checkout, and writes a package.json of its own.
  await project.install();
  for (const [name, script] of Object.entries<string>(scripts)) {
    succeeded(await project.type("npm", "pkg", "set", `scripts.${name}=${script}`));
  }
}, 600_000);

test("postcodes: the tests of the example pass", { timeout: 240_000 }, async () => {
  expect(succeeded(await project.type("npm", "test"))).toMatch(/pass 3$/m);
});

test("postcodes: a run ends as its README says, and its results are a CSV file", { timeout: 240_000 }, async () => {
  const { code, stdout, stderr } = await project.type("npx", "sluice", "run", "postcodes", "--json");
  expect(code, stderr).toBe(2);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  expect(summary).toMatchObject({ produced: 60, succeeded: 58, dead: 2 });
  succeeded(await project.type("npx", "sluice", "results", "--format", "csv", "--output", "postcodes.csv"));
  const lines = readFileSync(join(project.path, "postcodes.csv"), "utf8").trim().split("\n");
  expect(lines.length).toBe(59);
  expect(lines[0]).toContain("postcode");
});
