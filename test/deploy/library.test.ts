import { lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, inject, test } from "vitest";
import { type Ended, Project } from "./project.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** 100 items: each tenth fails permanently, each fifth other succeeds after a wait. */
const HUNDRED = `
import * as z from "zod";
import { defineWorkflow, items, PermanentError, RetryLater } from "sluice";

export default defineWorkflow({
  name: "hundred",
  source: items(Array.from({ length: 100 }, (_, number) => ({ number }))),
  item: z.object({ number: z.int() }),
  task: ({ number }, { waits }) => {
    if (number % 10 === 0) throw new PermanentError(\`item \${number} is refused\`);
    if (number % 5 === 0 && waits === 0) throw new RetryLater({ milliseconds: 10 });
  },
  concurrency: 10,
});
`;

const TYPES = {
  compilerOptions: {
    module: "nodenext",
    target: "es2024",
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    // The library's own types are looked at too.
    skipLibCheck: false,
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
  },
  include: ["*.ts", "workflows"],
};

/** The files that the README shows: a block of code whose first line is the file's path. */
function shownInReadme(): Readonly<Record<string, string>> {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const blocks = readme.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([\s\S]+?)^```/gm);
  return Object.fromEntries([...blocks].map(([, path, code]) => [path, code]));
}

/** The tests that the guide to testing shows, with the workflow that they test. */
function shownInGuide(): Readonly<Record<string, string>> {
  const guide = readFileSync(join(root, "docs/guides/testing.md"), "utf8");
  const blocks = guide.matchAll(/^( *)```ts\n *\/\/ (\S+\.ts)\n([\s\S]+?)^ *```/gm);
  return Object.fromEntries([...blocks].map(([, , path, code]) => [path, code]));
}

const readme = shownInReadme();
const project = new Project(join(inject("workspace"), "project"), {
  ...readme,
  "workflows/hundred.ts": HUNDRED,
  "all.ts":
    'import { App } from "aws-cdk-lib";\nimport { addWorkflowStacks } from "sluice/infra";\nawait addWorkflowStacks(new App());',
  "tsconfig.json": JSON.stringify(TYPES),
});

const succeeded = ({ code, stdout, stderr }: Ended) => {
  expect(code, `${stdout}\n${stderr}`).toBe(0);
  return stdout;
};

beforeAll(() => project.install());

test("the tarball holds JavaScript and types, and nothing that Node would have to strip", () => {
  const files = readdirSync(join(project.path, "node_modules/sluice"), { recursive: true, encoding: "utf8" });
  expect(files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))).toEqual([]);
  const roots = new Set(files.map((file) => file.split("/")[0]));
  expect([...roots].toSorted()).toEqual(
    ["CHANGELOG.md", "LICENSE", "README.md", "bin", "dist", "docs", "package.json"].toSorted(),
  );
  expect(files).toEqual(expect.arrayContaining(["dist/functions/consumer.js", "dist/functions/producer.js"]));
});

test("the packages inside the tarball have their licences beside them, and the page of the dashboard is minified", () => {
  const read = (file: string) => readFileSync(join(project.path, "node_modules/sluice/dist", file), "utf8");
  expect(read("vendor/LICENSES.txt")).toMatch(/^commander \d/m);
  expect(read("ui/page/LICENSES.txt")).toMatch(/^preact \d/m);
  // A line of the minified script has thousands of characters.
  expect(read("ui/page/page.js").split("\n").length).toBeLessThan(200);
});

/** The most that the library may take in a user's project: 60 MB as `du -sm` counts them. */
const MOST_BYTES = 60 * 1_024 * 1_024;

/** Most file systems store a file in blocks of this size, and a small directory in one block. */
const BLOCK_BYTES = 4_096;

/** What the library does not bring: the CDK and Node, and the optional client of PostgreSQL with what only it needs. */
const NOT_OF_THE_LIBRARY =
  /^(aws-cdk|aws-cdk-lib|@aws-cdk|constructs|node|node-bin-.*|\.bin|\.package-lock\.json|pg|pg-.*|pgpass|postgres-.*|split2|xtend)$/;

test("the library with its dependencies takes at most 60 MB of the disk, without the CDK and Node", () => {
  const modules = join(project.path, "node_modules");
  const counted = new Set<number>();
  let bytes = 0;
  let blocks = 0;
  for (const name of readdirSync(modules).filter((each) => !NOT_OF_THE_LIBRARY.test(each))) {
    const folder = join(modules, name);
    for (const file of ["", ...readdirSync(folder, { recursive: true, encoding: "utf8" })]) {
      const status = lstatSync(join(folder, file));
      // esbuild's program is one file with two names.
      if (counted.has(status.ino)) continue;
      counted.add(status.ino);
      if (status.isFile()) bytes += status.size;
      blocks += status.isFile() ? Math.ceil(status.size / BLOCK_BYTES) : 1;
    }
  }
  expect(bytes).toBeGreaterThan(30_000_000);
  expect(blocks * BLOCK_BYTES).toBeLessThanOrEqual(MOST_BYTES);
});

test("the README's files are a workflow and an app of ten lines", () => {
  expect(Object.keys(readme)).toEqual(["workflows/greetings.ts", "app.ts"]);
  expect(readme["app.ts"]?.trim().split("\n").length).toBeLessThanOrEqual(10);
});

test("its types are found, and tell a task of its item", async () => {
  const tsc = join(root, "node_modules/.bin/tsc");
  succeeded(await project.type(tsc, "--project", "."));
  const wrong = new Project(project.path, { "wrong.ts": HUNDRED.replace("number % 10", "number.length") });
  const { code, stdout } = await wrong.type(tsc, "--project", ".");
  expect(code).not.toBe(0);
  expect(stdout).toMatch(/^wrong\.ts.*Property 'length' does not exist on type 'number'/);
});

test("the tests of the guide pass, on node:test and on vitest", async () => {
  const files = shownInGuide();
  const { path } = new Project(join(project.path, "tested"), { ...files, "package.json": '{ "type": "module" }' });
  expect(Object.keys(files).length).toBe(5);
  const onNode = succeeded(await project.type("node", "--test", join(path, "invoices.node.ts")));
  expect(onNode).toMatch(/pass 1$/m);
  symlinkSync(join(root, "node_modules/vitest"), join(project.path, "node_modules/vitest"));
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  expect(succeeded(await project.type("node", vitest, "run", "--root", path))).toMatch(/Tests +4 passed/);
});

test("the README's app is synthesised, each function with its bundle", async () => {
  succeeded(await project.type("npx", "cdk", "synth", "--quiet", "--app", "node app.ts"));
  const output = join(project.path, "cdk.out");
  const template = readFileSync(join(output, "greetings.template.json"), "utf8");
  expect(template).toContain("What to do: node_modules/sluice/docs/guides/runbook.md#dead-letters");
  expect(readdirSync(join(project.path, "node_modules/sluice/docs/guides"))).toContain("runbook.md");
  const bundles = readdirSync(output)
    .filter((name) => name.startsWith("asset."))
    .map((name) => readFileSync(join(output, name, "index.mjs"), "utf8"));
  expect(bundles.length).toBe(2);
  for (const bundle of bundles) {
    // The SDK's clients once, and no part of the CDK. The SDK twice, or a part of the CDK, would be far more.
    expect(bundle.length).toBeLessThan(600_000);
    expect(bundle.includes("Grace")).toBe(true);
  }
});

test("an app of a stack for each workflow is one line", async () => {
  const listed = succeeded(await project.type("npx", "cdk", "list", "--app", "node all.ts"));
  expect(listed.trim().split("\n")).toEqual(["greetings (sluice-greetings)", "hundred (sluice-hundred)"]);
});

test("a run on this machine ends with exact counts", async () => {
  const { code, stdout, stderr } = await project.type("npx", "sluice", "run", "hundred", "--json");
  expect(code, stderr).toBe(2);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  expect(summary).toMatchObject({
    type: "summary",
    status: "completed",
    produced: 100,
    succeeded: 90,
    dead: 10,
    retried: 0,
    deadByReason: { permanent: 10 },
  });
  const status = succeeded(await project.type("npx", "sluice", "status", summary.run, "--json"));
  expect(JSON.parse(status)).toMatchObject({ run: summary.run, succeeded: 90, dead: 10, pending: 0 });
});

test("the README's workflow runs", async () => {
  const printed = succeeded(await project.type("npx", "sluice", "run", "greetings"));
  expect(printed).toMatch(/^Completed, every item succeeded {2}greetings/m);
});
