import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { page, pagesIn, ROOT } from "../../helpers/pages.ts";

const sources = globSync("cli/**/*.ts", { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file), "utf8"));
const code = sources.join("\n");

const NAMES = new Set([...code.matchAll(/new Command\("([\w-]+)"\)/g)].map(([, name]) => name));
const OPTIONS = new Set([...code.matchAll(/["'`](--[a-z-]+)/g)].map(([, option]) => option)).add("--help");

interface Typed {
  readonly command: string;
  readonly options: readonly string[];
}

/** The commands of Sluice that a text shows, each up to the end of its line or of its code span. */
const commandsIn = (text: string): readonly Typed[] =>
  [...text.matchAll(/npx sluice ((?:dlq )?[a-z][\w-]*)([^`\n|#]*)/g)].map(([, command = "", rest = ""]) => ({
    command,
    options: [...rest.matchAll(/(?:^| )(--[a-z][a-z-]*)/g)].map(([, option = ""]) => option),
  }));

const unknownIn = (text: string): readonly string[] =>
  commandsIn(text).flatMap(({ command, options }) => [
    ...command.split(" ").filter((name) => !NAMES.has(name)),
    ...options.filter((option) => !OPTIONS.has(option)),
  ]);

test("every command and option that the README and the guides show exists", () => {
  const pages = [page("README.md"), ...pagesIn("docs/guides")];
  expect(pages.flatMap(({ text }) => commandsIn(text)).length).toBeGreaterThan(50);
  expect(pages.flatMap(({ path, text }) => unknownIn(text).map((word) => `${path}: ${word}`))).toEqual([]);
});

test("an unknown command and an unknown option are found", () => {
  expect(unknownIn("npx sluice fly cities --high")).toEqual(["fly", "--high"]);
});
