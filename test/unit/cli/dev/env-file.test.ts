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
  expect(readEnvFile([file], {})).toEqual({ file: undefined, variables: {}, kept: [], problems: [] });
  mkdirSync(file);
  expect(readEnvFile([file], {}).problems).toEqual([expect.stringContaining(`${file} cannot be read: EISDIR`)]);
});

test.each([
  ["A=1\nTOKEN\nC: 3\n", { A: "1" }, ["line 2 sets no variable", "line 3 sets no variable"]],
  ["A=1\n=secret\n", { A: "1" }, ["line 2 sets no variable: write NAME=value"]],
  ["MY KEY=1\n9X=2\nA=1", { A: "1" }, ['"9X" is no name', '"MY KEY" is no name']],
  ["A='secret\n", { A: "'secret" }, ["the value of A begins with a quote that is not closed"]],
  [
    'A="secret\nB=5\nC="x"\n',
    { A: "secret\nB=5\nC=" },
    ["the value of A has 3 lines, and one of them sets a variable"],
  ],
  ['\uFEFFA=1\r\nexport B="x\r\ny=\r\nz"\r\n\r\n  # C\r\nE=', { A: "1", B: "x\ny=\nz", E: "" }, []],
  ["KEY=`-----BEGIN-----\nTUlJ\nb3c=\n-----END-----`\n", { KEY: "-----BEGIN-----\nTUlJ\nb3c=\n-----END-----" }, []],
  ["A=secr#et\nB=x # C\n", { A: "secr", B: "x" }, ["line 1: the value of A ends before the #"]],
  ["A=x\nA = #secret\nB=#C", { A: "", B: "" }, []],
  ["A='it''secret'\n", { A: "it" }, ["line 1: the value of A ends at its second quote"]],
  ['A="x" secret\nB="y" # C\nC=`z`#C\n', { A: "x", B: "y", C: "z" }, ["line 1: the value of A ends at its second"]],
  ["A='\"secret\"'\nB=`'\n'`\n", { A: '"secret"', B: "'\n'" }, []],
  ["A=x#secret\nA=y\n", { A: "y" }, []],
  ["A='\nB=x#y\n'\n", { A: "\nB=x#y\n" }, ["the value of A has 3 lines"]],
])("of %j, what sets no variable or another one is told, without its value", (text, expected, told) => {
  using directory = temporaryDirectory();
  const file = join(directory.path, ".env");
  writeFileSync(file, text);
  const { variables, problems } = readEnvFile([file], {});
  expect(variables).toEqual(expected);
  expect(problems).toEqual(told.map((each) => expect.stringContaining(`${file}: ${each}`)));
  expect(problems.join()).not.toContain("secret");
});
