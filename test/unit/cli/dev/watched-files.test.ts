import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { directoriesOf, stateOf, unionOf, watchedOf, watchedOfError } from "../../../../cli/dev/watched-files.ts";
import { importWorkflow } from "../../../../shared/bundling/load-workflow.ts";
import { temporaryDirectory } from "../../../helpers/test-engine.ts";

test("files of packages, and configuration files above the project that do not exist, are not watched", () => {
  using directory = temporaryDirectory();
  const root = join(directory.path, "app");
  mkdirSync(root);
  writeFileSync(join(directory.path, "tsconfig.json"), "{}");
  const inputs = {
    files: [
      join(root, "a.ts"),
      join(root, "package.json"),
      join(directory.path, "package.json"),
      join(directory.path, "tsconfig.json"),
      join(root, "node_modules", "zod", "index.js"),
    ],
    names: { [root]: ["a"], [join(root, "node_modules", "zod")]: ["index"] },
    packages: {},
    unused: [],
  };
  const watched = watchedOf([inputs, inputs], root);
  expect(watched).toEqual({
    files: [join(root, "a.ts"), join(root, "package.json"), join(directory.path, "tsconfig.json")],
    names: { [root]: ["a"] },
    listings: [],
  });
  expect(directoriesOf(watched)).toEqual([root, directory.path]);
});

test("the state changes with the content of a file, and with a file that an import would find first", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "a.js");
  writeFileSync(file, "1");
  const watched = { files: [file], names: { [directory.path]: ["a"] }, listings: [] };
  const before = stateOf(watched);
  writeFileSync(file, "1");
  expect(stateOf(watched)).toBe(before);
  writeFileSync(join(directory.path, "b.js"), "1");
  expect(stateOf(watched)).toBe(before);
  writeFileSync(join(directory.path, "a.ts"), "1");
  expect(stateOf(watched)).not.toBe(before);
});

test("an import that finds no file is watched by the files of its directory, without those of editors", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "workflow.ts");
  writeFileSync(file, 'import "./missing/module";\nexport default 1;\n');
  const error = await importWorkflow(file).catch((thrown: unknown) => thrown);
  const watched = watchedOfError(error, process.cwd());
  expect(watched).toEqual({ files: [file], names: {}, listings: [directory.path] });
  const before = stateOf(watched);
  writeFileSync(join(directory.path, ".workflow.ts.swp"), "");
  writeFileSync(join(directory.path, "4913"), "");
  writeFileSync(join(directory.path, "workflow.ts~"), "");
  expect(stateOf(watched)).toBe(before);
  mkdirSync(join(directory.path, "missing"));
  expect(stateOf(watched)).not.toBe(before);
});

test("an error that is not of a build has no files, and a directory that is gone is watched by the one above it", () => {
  using directory = temporaryDirectory();
  expect(watchedOfError(new Error("no"), directory.path)).toEqual({ files: [], names: {}, listings: [] });
  const gone = join(directory.path, "gone");
  mkdirSync(gone);
  rmSync(gone, { recursive: true });
  const watched = { files: [join(gone, "a.ts")], names: {}, listings: [gone] };
  expect(directoriesOf(unionOf([watched, watched]))).toEqual([directory.path]);
  expect(stateOf(watched)).toContain("absent");
});
