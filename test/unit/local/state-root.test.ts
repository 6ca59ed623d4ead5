import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stateRoot } from "../../../local/state-root.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "sluice-root-")));
  mkdirSync(join(root, "project/workflows/deep"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const manifest = (folder: string, content: object = { name: "own" }) =>
  writeFileSync(join(root, folder, "package.json"), JSON.stringify(content));

test("the state is in the root of the project, wherever in it a command is typed", () => {
  manifest("project");
  for (const folder of ["project", "project/workflows", "project/workflows/deep"]) {
    expect(stateRoot(join(root, folder))).toBe(join(root, "project/.sluice"));
  }
});

test("a package.json that only says how modules are loaded is no project", () => {
  manifest("project");
  manifest("project/workflows", { type: "module" });
  expect(stateRoot(join(root, "project/workflows"))).toBe(join(root, "project/.sluice"));
});

test("a package in a workspace has its own state", () => {
  manifest(".");
  manifest("project");
  expect(stateRoot(join(root, "project"))).toBe(join(root, "project/.sluice"));
});

test("without a project, the state is where the command is typed", () => {
  mkdirSync(join(root, ".sluice"));
  expect(stateRoot(join(root, "project"))).toBe(join(root, "project/.sluice"));
});

test("the state that an earlier version left in a folder of the project is still used", () => {
  manifest("project");
  mkdirSync(join(root, "project/workflows/.sluice"));
  expect(stateRoot(join(root, "project/workflows"))).toBe(join(root, "project/workflows/.sluice"));
  expect(stateRoot(join(root, "project/workflows/deep"))).toBe(join(root, "project/workflows/.sluice"));
  expect(stateRoot(join(root, "project"))).toBe(join(root, "project/.sluice"));
});
