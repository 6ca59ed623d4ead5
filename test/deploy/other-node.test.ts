import { delimiter, join } from "node:path";
import { beforeAll, expect, inject, test } from "vitest";
import { packed, succeeded } from "./packed.ts";
import { Project } from "./project.ts";

const workspace = inject("workspace");
const other = new Project(join(workspace, "node-22"), { "package.json": '{ "private": true }' });
const created = new Project(join(workspace, "created/csv"), {});

/** Types a command in the created project, where the machine's Node is Node 22. */
const typed = async (...words: readonly string[]) => {
  const path = [join(other.path, "node_modules/.bin"), process.env.PATH].join(delimiter);
  return succeeded(await created.type("env", `PATH=${path}`, ...words));
};

beforeAll(async () => {
  await packed(workspace);
  succeeded(await other.type("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "node@22"));
  expect(await typed("node", "--version")).toMatch(/^v22\./);
});

// The other tests of the projects use the Node of the repository. `docs/compatibility.md` has all combinations.
test("the project that create-sluice wrote runs with Node 22, and its tests pass", async () => {
  expect(await typed("npm", "start")).toMatch(/^Completed, every item succeeded/m);
  expect(await typed("npm", "test")).toMatch(/fail 0/);
});
