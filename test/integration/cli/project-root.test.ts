import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";
import { CLI } from "../../helpers/cli-file.ts";

const world = new CliWorld();

/** Types a command in a folder of the project. */
function typeIn(
  folder: string,
  ...words: readonly string[]
): Promise<{ stdout: string; stderr: string; code: number }> {
  return new Promise((resolve) => {
    const options = { cwd: join(world.path, folder), env: { ...process.env, NO_COLOR: "1" } };
    execFile(process.execPath, ["--no-warnings", CLI, ...words], options, (error, stdout, stderr) =>
      resolve({ stdout, stderr, code: Number(error?.code ?? 0) }),
    );
  });
}

test("runs are found from every folder of the project, whose root has the state", async () => {
  mkdirSync(join(world.path, "workflows/deep"), { recursive: true });
  writeFileSync(join(world.path, "package.json"), '{ "name": "project", "type": "module" }');
  const ran = await typeIn("workflows/deep", "run", workflowFile("small"), "--items", "2");
  expect(ran.code, ran.stderr).toBe(0);
  expect(existsSync(join(world.path, ".sluice/small"))).toBe(true);
  expect(existsSync(join(world.path, "workflows/deep/.sluice"))).toBe(false);
  expect((await typeIn(".", "status")).stdout).toMatch(/small/);
  expect((await typeIn("workflows", "status")).stdout).toMatch(/small/);
});

test("a misspelt workflow gets a suggestion, and a strange one gets none", async () => {
  writeFileSync(join(world.path, "workflows/customers.ts"), "");
  expect((await typeIn(".", "run", "custmers")).stderr.replaceAll(/\s+/g, " ")).toContain("Did you mean customers?");
  expect((await typeIn(".", "run", "zzz")).stderr).not.toContain("Did you mean");
});

test("a misspelt command gets a suggestion", async () => {
  expect((await typeIn(".", "stauts")).stderr).toContain("(Did you mean status?)");
});

test("a workflow in CommonJS is found by its name", async () => {
  writeFileSync(join(world.path, "workflows/legacy.cjs"), "module.exports = {};");
  const { stderr, code } = await typeIn(".", "try", "legacy");
  expect(code).toBe(1);
  expect(stderr).toContain("legacy.cjs");
  expect(stderr).not.toContain("there is no workflow");
});
