import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { statusPathsOf } from "../../../shared/bundling/bundle-inputs.ts";
import { noteReady, readyModule } from "../../../shared/bundling/ready-module.ts";

const recipe = { entry: "/app/workflow.ts", alias: {}, linksPackages: false };
let directory: string;
let file: string;
let module: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-ready-"));
  file = join(directory, "workflow.ts");
  module = join(directory, "module.mjs");
  writeFileSync(file, "1");
  writeFileSync(module, "");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

/** Writes a note as if the files had been there for a second. */
function note(paths: readonly string[], isCurrent = () => true): void {
  const now = Date.now() + 1_000;
  vi.spyOn(Date, "now").mockReturnValue(now);
  noteReady(recipe, module, { paths, isCurrent }, directory);
  vi.restoreAllMocks();
}

test("a bundle is found by its note, for the same recipe only", () => {
  expect(readyModule(recipe, directory)).toBeUndefined();
  note([file, join(directory, "tsconfig.json")]);
  expect(readyModule(recipe, directory)).toBe(module);
  expect(readyModule({ ...recipe, linksPackages: true }, directory)).toBeUndefined();
  expect(readyModule({ ...recipe, alias: { "#workflow": "/other.ts" } }, directory)).toBeUndefined();
  expect(readyModule(recipe, undefined)).toBeUndefined();
});

describe("a bundle is not found", () => {
  test("once a file was saved, also with the same size and time, was replaced, added or removed", () => {
    const absent = join(directory, "tsconfig.json");
    note([file, absent]);
    utimesSync(file, 1, 1);
    note([file, absent]);
    writeFileSync(file, "2");
    utimesSync(file, 1, 1);
    expect(readyModule(recipe, directory)).toBeUndefined();
    note([file, absent]);
    expect(readyModule(recipe, directory)).toBe(module);
    writeFileSync(`${file}.new`, "2");
    renameSync(`${file}.new`, file);
    expect(readyModule(recipe, directory)).toBeUndefined();
    note([file, absent]);
    writeFileSync(absent, "{}");
    expect(readyModule(recipe, directory)).toBeUndefined();
    note([file, absent]);
    rmSync(file);
    expect(readyModule(recipe, directory)).toBeUndefined();
  });

  test("if a file had changed just before the note, or the bundle was outdated by then", () => {
    noteReady(recipe, module, { paths: [file], isCurrent: () => true }, directory);
    expect(readyModule(recipe, directory)).toBeUndefined();
    note([file], () => false);
    expect(readyModule(recipe, directory)).toBeUndefined();
  });

  test("if the module is gone, or the note is damaged", () => {
    note([file]);
    rmSync(module);
    expect(readyModule(recipe, directory)).toBeUndefined();
    rmSync(join(directory, "ready"), { recursive: true });
    writeFileSync(join(directory, "ready"), "");
    note([file]);
    expect(readyModule(recipe, directory)).toBeUndefined();
  });
});

test("of a package, package.json and the modules in the bundle are looked at; of the user, also files that do not exist", () => {
  const installed = join(directory, "node_modules", "zod");
  const folder = join(directory, "lib");
  mkdirSync(installed, { recursive: true });
  mkdirSync(folder);
  for (const name of ["index.js", "unused.js", "package.json"]) writeFileSync(join(installed, name), "");
  const paths = statusPathsOf({
    files: [
      file,
      join(directory, "tsconfig.json"),
      join(folder, "tsconfig.json"),
      ...["index.js", "unused.js", "package.json", "tsconfig.json"].map((name) => join(installed, name)),
    ],
    names: { [folder]: ["a"], [installed]: ["index", "unused"] },
    packages: { [directory]: ["zod"] },
    unused: [join(installed, "unused.js")],
  });
  expect(new Set(paths)).toEqual(
    new Set([
      file,
      join(directory, "tsconfig.json"),
      folder,
      join(installed, "index.js"),
      join(installed, "package.json"),
      join(directory, "node_modules"),
      installed,
    ]),
  );
});
