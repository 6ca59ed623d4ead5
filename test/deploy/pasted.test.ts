import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, inject, test } from "vitest";
import { type Block, blocksOf, page } from "../helpers/pages.ts";
import { packed } from "./packed.ts";
import { Terminal, type TypedLine } from "./terminal.ts";

// A reader pastes the snippets of README and of the tutorial, in their order. The snippets are taken from the pages.

const workspace = inject("workspace");
const README = blocksOf(page("README.md"));
const TUTORIAL = blocksOf(page("docs/guides/tutorial.md"));
let modules: string;

beforeAll(async () => {
  ({ modules } = await packed(workspace));
});

/** The block of a page that begins with a text. */
function block(blocks: readonly Block[], start: string): Block {
  const found = blocks.find(({ code }) => code.startsWith(start));
  if (found === undefined) throw new Error(`no snippet begins with ${JSON.stringify(start)}`);
  return found;
}

const failed = (typed: readonly TypedLine[]) => typed.filter(({ code }) => code !== 0);

/** The lines of a page's output that are the same each time: how the run ended, and its counts. */
const counts = (printed: string) =>
  printed.match(/^(Completed.*(?= {2})| *(produced|succeeded|dead|pending) +\d+)$/gm)?.map((line) => line.trim()) ?? [];

test("README's four commands and its task run over an own CSV file, in at most 15 typed lines", async () => {
  const terminal = new Terminal(join(workspace, "readme"), modules);
  terminal.write("customers.csv", "id,name,email\n1,Ada Lovelace,ada@example.com\n2,Grace Hopper,grace@navy.example\n");
  const commands = block(README, "npx --yes --package ");
  const task = block(README, "task: async (row");
  const lines = (code: string) => code.trim().split("\n").length;
  expect(lines(commands.code)).toBe(4);
  expect(lines(commands.code) + lines(task.code)).toBeLessThanOrEqual(15);

  const [create, change, ...others] = commands.code.trim().split("\n");
  const before = [await terminal.type(String(create)), await terminal.type(String(change))];
  expect(failed(before)).toEqual([]);
  // What create-sluice says to type next is what README says.
  const next = String(before[0]?.printed.split("Next:")[1]).trim().split("\n");
  expect(next.map((line) => line.trim())).toEqual([change, ...others]);

  const workflow = readFileSync(join(terminal.directory, "workflows/customers.ts"), "utf8");
  const changed = workflow.replace(/^ {2}task: .*?^ {2}\},\n/ms, () => task.code);
  expect(changed).not.toBe(workflow);
  terminal.write("workflows/customers.ts", changed);
  const after = [];
  for (const line of others) after.push(await terminal.type(line));
  expect(failed(after)).toEqual([]);
  expect(after.at(-1)?.printed).toMatch(/^Completed, every item succeeded/m);
  const results = await terminal.type("npx sluice results --format jsonl --output -");
  expect(results.printed).toContain("navy.example");
  // The test that create-sluice wrote holds for the changed task, too.
  const tested = await terminal.type("npm test");
  expect(tested).toMatchObject({ code: 0, printed: expect.stringMatching(/pass 1\b/) });
});

test("README's project by hand runs, and its app synthesises", async () => {
  const terminal = new Terminal(join(workspace, "greetings"), modules);
  terminal.write("package.json", '{ "type": "module" }');
  terminal.save(block(README, "// workflows/greetings.ts"));
  expect(failed(await terminal.paste(block(README, "npm install ../sluice")))).toEqual([]);
  const typed = await terminal.paste(block(README, "npx sluice try greetings"));
  expect(failed(typed)).toEqual([]);
  expect(typed.map(({ printed }) => /3 succeeded|succeeded +3/.test(printed))).toEqual([true, true]);
  terminal.save(block(README, "// app.ts"));
  expect(failed([await terminal.type("node app.ts")])).toEqual([]);
});

test("the tutorial's snippets run one after the other, and print the counts that it shows", async () => {
  const terminal = new Terminal(workspace, modules);
  const start = TUTORIAL.findIndex(({ code }) => code.startsWith("mkdir crm"));
  let last: readonly TypedLine[] = [];
  for (const each of TUTORIAL.slice(start)) {
    if (each.language === "ts") terminal.save(each);
    else if (each.language === "csv") terminal.write("customers.csv", each.code);
    else if (each.language === "text") {
      const shown = counts(each.code);
      expect(counts(last.map(({ printed }) => printed).join("\n")), `line ${each.line}`).toEqual(shown);
    } else {
      last = await terminal.paste(each);
      // A run with dead letters ends with exit code 2: the tutorial says so. So does a trial in which an item fails.
      const expected = /^npx sluice (run|try) customers/.test(each.code) ? 2 : 0;
      expect(
        last.filter(({ code }) => code !== expected),
        `line ${each.line}`,
      ).toEqual([]);
    }
  }
});
