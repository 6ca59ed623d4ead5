import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { type Ended, Project } from "./project.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const workspace = join(inject("workspace"), "created");
const home = new Project(workspace, {
  "tool/package.json": '{ "private": true }',
  "own.csv": "number,city\n1,Oslo\n2,Lima\n",
  "cjs/package.json": '{ "name": "cjs", "type": "commonjs" }',
});

/** After `npm create sluice`, a run over the user's own CSV file takes these three commands. */
const NEXT = ["cd own", "npm install", "npm start"];

const succeeded = ({ code, stdout, stderr }: Ended) => {
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
};

/** The words between `create-sluice` and the path of the tarball of Sluice. */
const PROJECTS = {
  csv: ["csv", "--source", "csv"],
  own: ["own", "--source", "csv", "--file", "own.csv"],
  api: ["api", "--source", "api"],
  code: ["code", "--source", "code"],
  cjs: ["cjs", "--source", "csv"],
} as const;

const printedFor = new Map<string, string>();

beforeAll(async () => {
  for (const words of [[], ["--workspace", "create-sluice"]]) {
    succeeded(await new Project(root, {}).type("npm", "pack", ...words, "--pack-destination", workspace));
  }
  const install = ["install", "--prefer-offline", "--no-audit", "--no-fund"];
  const tool = new Project(join(workspace, "tool"), {});
  succeeded(await tool.type("npm", ...install, "../create-sluice-0.1.0.tgz"));
  for (const words of Object.values(PROJECTS)) {
    const command = join(workspace, "tool/node_modules/.bin/create-sluice");
    const printed = succeeded(await home.type(command, ...words, "--yes", "--library", "sluice-0.1.0.tgz"));
    printedFor.set(words[0], printed);
  }
  const first = new Project(join(workspace, "csv"), {});
  succeeded(await first.type("npm", ...install));
  // The other projects need the same packages.
  for (const name of Object.keys(PROJECTS).filter((each) => each !== "csv")) {
    succeeded(await home.type("cp", "-al", "csv/node_modules", join(name, "node_modules")));
  }
}, 600_000);

describe.each(Object.keys(PROJECTS))("what create-sluice wrote for %s", (name) => {
  const project = () => new Project(join(workspace, name), {});

  test("compiles, and its tests pass", { timeout: 240_000 }, async () => {
    succeeded(await project().type("npm", "run", "check"));
    expect(succeeded(await project().type("npm", "test"))).toMatch(/fail 0/);
  });

  test("runs, and every item succeeds", { timeout: 240_000 }, async () => {
    expect(succeeded(await project().type("npm", "start"))).toMatch(/^Completed, every item succeeded/m);
  });

  test("is synthesised", { timeout: 240_000 }, async () => {
    succeeded(await project().type("npx", "cdk", "synth", "--quiet"));
  });
});

test("a run over an own CSV file takes four commands, which are printed, and no line of code", () => {
  const printed = printedFor.get("own") ?? "";
  const next = printed
    .slice(printed.indexOf("Next:") + 5)
    .trim()
    .split("\n");
  expect(next.map((line) => line.trim())).toEqual(NEXT);
});
