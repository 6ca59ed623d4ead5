import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { page, ROOT } from "../../helpers/pages.ts";

const COLUMNS = ["Behaviour", "Code", "AWS page", "Embedded engine", "Emulator", "Test"];
const SECTIONS = ["Lambda", "SQS", "DynamoDB", "S3", "EventBridge Scheduler", "CloudWatch", "CloudFormation"];

interface Section {
  readonly heading: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The cells of a row of a table. A vertical bar in a cell is written as `\|`. */
const cellsOf = (line: string): readonly string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The sections of a page that have a table. */
const sectionsOf = (text: string): readonly Section[] =>
  text.split(/^## /m).flatMap((section) => {
    const [heading = "", ...lines] = section.split("\n");
    const [header = "", , ...rows] = lines.filter((line) => line.startsWith("|"));
    return header === "" ? [] : [{ heading, header: cellsOf(header), rows: rows.map(cellsOf) }];
  });

/** The paths of a cell, each with the quoted name of a test that may follow it. */
const filesIn = (cell: string) =>
  [...cell.matchAll(/`([\w./-]+\/[\w./-]+)`(?: "([^"]+)")?/g)].map(([, file = "", name]) => ({ file, name }));

/** What is wrong with a row. */
function faultsOf([
  behaviour = "",
  code = "",
  awsPage = "",
  engine = "",
  emulator = "",
  tests = "",
  ...rest
]: readonly string[]) {
  const fault = (why: string) => `${behaviour}: ${why}`;
  const [files, testFiles] = [filesIn(code), filesIn(tests)];
  return [
    ...(rest.length > 0 ? [fault("it has too many cells")] : []),
    ...([behaviour, engine, emulator].includes("") ? [fault("a cell is empty")] : []),
    ...(/\]\(https:\/\/docs\.aws\.amazon\.com\/\S+\)/.test(awsPage) ? [] : [fault("it names no AWS page")]),
    ...(files.length === 0 ? [fault("it names no file of the code")] : []),
    ...(testFiles.length === 0 ? [fault("it names no test")] : []),
    ...[...files, ...testFiles].flatMap(({ file, name }) => {
      if (!existsSync(join(ROOT, file))) return [fault(`${file} is missing`)];
      if (name === undefined || readFileSync(join(ROOT, file), "utf8").includes(name)) return [];
      return [fault(`${file} has no test "${name}"`)];
    }),
    ...testFiles.flatMap(({ file }) => (/^test\/.+\.ts$/.test(file) ? [] : [fault(`${file} is no test`)])),
  ];
}

const sections = sectionsOf(page("docs/internals/aws.md").text);

test("each service has a table with the same columns", () => {
  expect(sections.map(({ heading }) => heading)).toEqual(SECTIONS);
  for (const { header } of sections) expect(header).toEqual(COLUMNS);
});

test("each row names an AWS page, and files and tests that exist", () => {
  expect(sections.flatMap(({ rows }) => rows.flatMap(faultsOf))).toEqual([]);
});

test("no behaviour has two rows", () => {
  const behaviours = sections.flatMap(({ rows }) => rows.map(([behaviour]) => behaviour));
  expect(behaviours.filter((each, position) => behaviours.indexOf(each) < position)).toEqual([]);
});

describe("a fault in a row is found:", () => {
  const row = ["It works.", "`infra/app.ts`", "[P](https://docs.aws.amazon.com/p)", "yes", "–", "`test/suites.ts`"];
  const changed = (position: number, cell: string) => faultsOf(row.with(position, cell));

  test("a row without a fault has none", () => {
    expect(faultsOf(row)).toEqual([]);
  });

  test.each([
    ["no page", 2, "[P](https://example.com)", "It works.: it names no AWS page"],
    ["no code", 1, "infra/app.ts", "It works.: it names no file of the code"],
    ["a missing file", 1, "`infra/none.ts`", "It works.: infra/none.ts is missing"],
    ["no test", 5, "–", "It works.: it names no test"],
    ["a test that is not there", 5, '`test/suites.ts` "flies"', 'It works.: test/suites.ts has no test "flies"'],
    ["a test outside of test/", 5, "`infra/app.ts`", "It works.: infra/app.ts is no test"],
    ["an empty cell", 3, "", "It works.: a cell is empty"],
  ])("%s", (_, position, cell, fault) => {
    expect(changed(position, cell)).toEqual([fault]);
  });
});
