import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { importWorkflow } from "../../../shared/bundling/load-workflow.ts";
import { CliWorld } from "../../helpers/cli.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A project of a user, with the library in its `node_modules`. */
function projectIn(path: string, files: Readonly<Record<string, string>>): string {
  const all = { "package.json": '{ "name": "project", "type": "module" }', ...files };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  mkdirSync(join(path, "node_modules/sluice"), { recursive: true });
  writeFileSync(
    join(path, "node_modules/sluice/package.json"),
    `{ "name": "sluice", "version": "1.0.0", "exports": ${JSON.stringify("./index.ts")}, "sideEffects": false }`,
  );
  symlinkSync(join(ROOT, "shared"), join(path, "node_modules/shared"));
  writeFileSync(
    join(path, "node_modules/sluice/index.ts"),
    `export * from ${JSON.stringify(join(ROOT, "shared/index.ts"))};`,
  );
  return path;
}

const defines = (name: string, more = "") =>
  `defineWorkflow({ name: ${JSON.stringify(name)}, source: items([1, 2]), task: (item) => item, concurrency: 2, ${more} })`;
const IMPORT = 'import { defineWorkflow, items } from "sluice";\n';

/** What each project loads: its files, and the workflow's file. */
const LOADED: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  [
    "aliases of tsconfig.json, also of one that it extends, with comments",
    "workflows/main.ts",
    {
      "base.json": '{ "compilerOptions": { "baseUrl": ".", "paths": { "@lib/*": ["lib/*"] } } }',
      "tsconfig.json": '{ // a comment\n "extends": "./base.json", }',
      "lib/limits.ts": "export const LIMIT = 3;",
      "workflows/main.ts": `${IMPORT}import { LIMIT } from "@lib/limits";\nexport default ${defines("main", "limit: LIMIT")};`,
    },
  ],
  [
    "imports without extensions, enums, parameter properties and JSON",
    "workflows/main.ts",
    {
      "lib/index.ts": "export enum Limit { Few = 3 }\nexport class Box { constructor(readonly limit: number) {} }",
      "lib/data.json": '{ "name": "main" }',
      "workflows/main.ts":
        `${IMPORT}import { Box, Limit } from "../lib";\nimport data from "../lib/data.json";\n` +
        "export default defineWorkflow({ name: data.name, source: items([1, 2]), task: (item) => item, concurrency: 2, limit: new Box(Limit.Few).limit });",
    },
  ],
  [
    "a project without a type, whose files are ES modules all the same",
    "workflows/main.ts",
    {
      "package.json": '{ "name": "project", "type": "commonjs" }',
      "workflows/main.ts": `${IMPORT}export default ${defines("main", "limit: 3")};`,
    },
  ],
  [
    "CommonJS",
    "workflows/main.cjs",
    {
      "workflows/main.cjs": `const { defineWorkflow, items } = require("sluice");\nmodule.exports = ${defines("main", "limit: 3")};`,
    },
  ],
  [
    "CommonJS that was compiled from an ES module",
    "workflows/main.js",
    {
      "package.json": '{ "name": "project" }',
      "workflows/main.js":
        '"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n' +
        `const { defineWorkflow, items } = require("sluice");\nexports.default = ${defines("main", "limit: 3")};`,
    },
  ],
  [
    "a file .mts",
    "workflows/main.mts",
    { "workflows/main.mts": `${IMPORT}export default ${defines("main", "limit: 3")};` },
  ],
  [
    "a file .cts",
    "workflows/main.cts",
    { "workflows/main.cts": `${IMPORT}export default ${defines("main", "limit: 3")};` },
  ],
  [
    "a package of the workspace that is TypeScript",
    "workflows/main.ts",
    {
      "node_modules/@acme/limits/package.json": '{ "name": "@acme/limits", "main": "src/index.ts" }',
      "node_modules/@acme/limits/src/index.ts": 'export { LIMIT } from "./limit";',
      "node_modules/@acme/limits/src/limit.ts": "export const LIMIT: number = 3;",
      "workflows/main.ts": `${IMPORT}import { LIMIT } from "@acme/limits";\nexport default ${defines("main", "limit: LIMIT")};`,
    },
  ],
];

describe("a workflow is loaded from its bundle, which understands", () => {
  test.each(LOADED)("%s", async (_, file, files) => {
    using directory = temporaryDirectory();
    const path = projectIn(directory.path, files);
    expect(await importWorkflow(join(path, file))).toMatchObject({ name: "main", limit: 3 });
  });
});

async function refusal(files: Readonly<Record<string, string>>, file = "workflows/main.ts"): Promise<string> {
  using directory = temporaryDirectory();
  const path = projectIn(realpathSync(directory.path), files);
  const { message } = await importWorkflow(join(path, file)).then(
    () => new Error("none"),
    (error: Error) => error,
  );
  return message.replaceAll(path, "");
}

describe("an error has the file, the line and a code frame:", () => {
  test("a mistake in the syntax", async () => {
    const message = await refusal({ "workflows/main.ts": `${IMPORT}export default defineWorkflow({ name: "x", ];` });
    expect(message).toMatch(
      /main\.ts cannot be bundled:\n.*ERROR.*\n\n .*workflows\/main\.ts:2:\d+:\n +2 │ .*name: "x", \];\n +╵ +\^/,
    );
  });

  test("an option that is out of range", async () => {
    const message = await refusal({ "workflows/main.ts": `${IMPORT}\nexport default ${defines("NAME")};` });
    expect(message).toMatch(
      /^\/workflows\/main\.ts: name must be .*\n\n {4}.*workflows\/main\.ts:3:\d+:\n {6}3 │ export default/,
    );
  });

  test("an error that an imported file throws", async () => {
    const message = await refusal({
      "lib/key.ts": "export const other = 1;\n\nthrow new TypeError('the key is missing');",
      "workflows/main.ts": `${IMPORT}import { other } from "../lib/key";\nconsole.log(other);\nexport default ${defines("main")};`,
    });
    expect(message).toMatch(
      /main\.ts cannot be loaded: the key is missing\n\n {4}.*lib\/key\.ts:3:7:\n {6}3 │ throw new TypeError\('the key is missing'\);\n {8}╵ {7}\^$/,
    );
  });

  test.each([
    ["package-lock.json", "npm install left-pad"],
    ["pnpm-lock.yaml", "pnpm add left-pad"],
    ["yarn.lock", "yarn add left-pad"],
  ])("a missing package, with the command of the package manager of %s", async (lockfile, command) => {
    const message = await refusal({
      [lockfile]: "",
      "workflows/main.ts": `${IMPORT}import pad from "left-pad/index.js";\nexport default ${defines("main", "limit: pad(1)")};`,
    });
    expect(message).toMatch(/Could not resolve "left-pad\/index\.js"/);
    expect(message).toMatch(/workflows\/main\.ts:2:\d+:/);
    expect(message).toContain(`The package "left-pad" is not installed. Install it with: ${command}`);
    expect(message).not.toContain("external");
  });

  test("a file without a workflow", async () => {
    expect(await refusal({ "workflows/main.ts": "export default 1;" })).toBe(
      '/workflows/main.ts does not define a workflow: write "export default defineWorkflow({ ... })"',
    );
  });
});

test("the functions bundle what was loaded, and an attempt's stack trace names the line of the user's file", async () => {
  using world = new CliWorld();
  projectIn(world.path, {
    "tsconfig.json": '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }',
    "lib/work.ts":
      "export enum Kind { Bad = 2 }\nexport function work(item: number): number {\n  if (item === Kind.Bad) throw new Error('bad item');\n  return item;\n}",
    "workflows/main.ts": `${IMPORT}import { work } from "@lib/work";\nexport default defineWorkflow({ name: "main", source: items([1, 2]), task: work, concurrency: 2, retry: { attempts: 1 } });`,
  });
  const tried = await world.type("try", "main");
  expect(tried.stdout).toMatch(/error {3}Error: bad item\n +at .*lib\/work\.ts:3:\d+/);
  const { code, json } = await world.type("run", "main", "--json");
  expect(json.at(-1)).toMatchObject({ succeeded: 1, dead: 1 });
  expect(code).toBe(2);
});
