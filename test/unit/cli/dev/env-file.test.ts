import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { envFiles, readEnvFile } from "../../../../cli/dev/env-file.ts";
import { temporaryDirectory } from "../../../helpers/test-engine.ts";

test("a variable of the file does not replace one that is set, not even an empty one", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, ".env");
  writeFileSync(file, 'TOKEN="a b" # secret\nEMPTY=\nHOME_TOWN=Bern\nUNSET=x\n# a comment\n');
  const { variables, kept, file: read } = readEnvFile([file], { HOME_TOWN: "", UNSET: undefined });
  expect(read).toBe(file);
  expect(variables).toEqual({ TOKEN: "a b", EMPTY: "", UNSET: "x" });
  expect(kept).toEqual(["HOME_TOWN"]);
});

test("the file is looked for in the directory of the command, and then in the root of the project", () => {
  using directory = temporaryDirectory();
  const folder = join(directory.path, "packages");
  mkdirSync(folder);
  writeFileSync(join(directory.path, "package.json"), '{ "name": "project" }');
  writeFileSync(join(directory.path, ".env"), "FROM=root");
  const files = envFiles(folder);
  expect(files).toEqual([join(folder, ".env"), join(directory.path, ".env")]);
  expect(readEnvFile(files, {}).variables).toEqual({ FROM: "root" });
  writeFileSync(join(folder, ".env"), "FROM=folder");
  expect(readEnvFile(files, {}).variables).toEqual({ FROM: "folder" });
  expect(envFiles(directory.path)).toEqual([join(directory.path, ".env")]);
});

test("without a file there are no variables, and a file that cannot be read is told", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, ".env");
  expect(readEnvFile([file], {})).toEqual({ file: undefined, variables: {}, kept: [] });
  mkdirSync(file);
  expect(readEnvFile([file], {}).problem).toContain(`${file} cannot be read: EISDIR`);
});
