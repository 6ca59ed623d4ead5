import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const BIN = join(root, "bin/sluice.js");

/** An option that makes a process report another version of Node. */
const pretending = (version: string) =>
  `--import=data:text/javascript,${encodeURIComponent(
    `for (const [name, value] of [["version", "v${version}"], ["versions", { ...process.versions, node: "${version}" }]])
       Object.defineProperty(process, name, { value });`,
  )}`;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function type(bin: string, words: readonly string[], options: { cwd: string; version?: string }): Promise<Ended> {
  const { cwd, version } = options;
  const flags = version === undefined ? [] : [pretending(version)];
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, bin, ...words], { cwd }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

/** A directory with the given files. */
function directoryOf(files: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory.path, name)), { recursive: true });
    writeFileSync(join(directory.path, name), content, { mode: 0o755 });
  }
  return directory.path;
}

/** The package as it is published: no TypeScript, and a command line that shows what runs it. */
function publishedPackage(files: Readonly<Record<string, string>> = {}): {
  readonly bin: string;
  readonly cwd: string;
} {
  const cwd = directoryOf({
    "package.json": "{}",
    "node_modules/sluice/package.json": '{ "type": "module" }',
    "node_modules/sluice/dist/cli/sluice.js":
      'console.log("compiled", process.argv.slice(2).join(" ")); process.exitCode = 2;',
    ...files,
  });
  const bin = join(cwd, "node_modules/sluice/bin/sluice.js");
  mkdirSync(dirname(bin));
  copyFileSync(BIN, bin);
  return { bin, cwd };
}

test("in the repository the command runs the TypeScript, with the help, version and exit code of the CLI", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(await type(BIN, ["--version"], { cwd: root })).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  const { code, stderr } = await type(BIN, ["nonsense"], { cwd: root });
  expect(code).toBe(1);
  expect(stderr).toContain("unknown command 'nonsense'");
  expect(stderr).toContain("(see: npx sluice --help)");
  // A wrong option names the help of its own command.
  const wrong = await type(BIN, ["limit", "cities", "--rate", "fast"], { cwd: root });
  expect(wrong.stderr).toContain("(see: npx sluice limit --help)");
});

test("the help has all its examples, and nothing below them", async () => {
  const help = await type(BIN, ["--help"], { cwd: root });
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout.match(/^ {2}\$ npx sluice \w+/gm)?.map((line) => line.split(" ").at(-1))).toEqual(
    expect.arrayContaining(["run", "resume", "status", "cancel", "dlq", "start"]),
  );
  // Neither another version of them, nor a mark of where two were merged.
  const [, examples] = help.stdout.split("Examples:\n");
  expect(examples?.split("\n").filter((line) => !/^( {2}\$ npx sluice \w| {10}|$)/.test(line))).toEqual([]);
});

test("in the published package the command runs the JavaScript", async () => {
  const { bin, cwd } = publishedPackage();
  expect(await type(bin, ["run", "x"], { cwd })).toMatchObject({ code: 2, stdout: "compiled run x\n" });
});

test("an older Node runs the command on the package `node` beside it, or in the project", async () => {
  const script = '#!/bin/sh\necho "node 24 of the project runs $2"\n';
  for (const place of ["node_modules/node", "node_modules/sluice/node_modules/node"]) {
    const { bin, cwd } = publishedPackage({ [`${place}/package.json`]: "{}", [`${place}/bin/node`]: script });
    const { code, stdout } = await type(bin, ["--version"], { cwd, version: "20.19.0" });
    expect(stdout).toBe(`node 24 of the project runs ${join(cwd, "node_modules/sluice/dist/cli/sluice.js")}\n`);
    expect(code).toBe(0);
  }
});

test("an older Node without the package `node` is refused, with how to fix it", async () => {
  for (const [lockfile, command] of [
    ["package-lock.json", "npm install --save-dev node@24"],
    ["pnpm-lock.yaml", "pnpm add --save-dev --allow-build=node node@24"],
    ["yarn.lock", "yarn add --dev node@24"],
  ] as const) {
    const { bin, cwd } = publishedPackage({ [lockfile]: "" });
    const refused = await type(bin, ["--version"], { cwd, version: "22.12.0" });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^sluice needs Node 22\.13 or newer, and this is v22\.12\.0\..*\n$/);
    expect(refused.stderr).toContain(command);
  }
  // Its installation was not allowed to run: there is no executable.
  const { bin: other, cwd: there } = publishedPackage({ "node_modules/node/package.json": "{}" });
  expect(await type(other, [], { cwd: there, version: "20.19.0" })).toMatchObject({ code: 1, stdout: "" });
});

test.each(["22.13.0", "22.18.0", "23.0.0", "24.0.0"])("Node %s runs the published command itself", async (version) => {
  const { bin, cwd } = publishedPackage();
  expect(await type(bin, ["run", "x"], { cwd, version })).toMatchObject({ code: 2, stdout: "compiled run x\n" });
});

test("a workflow of a CommonJS project, as `npm init` makes one, is loaded", async () => {
  const workflow = `import { defineWorkflow, items } from "${join(root, "shared/index.ts")}";
    export default defineWorkflow({ name: "x", source: items([1]), task: () => "done", concurrency: 2 });`;
  const cwd = directoryOf({ "package.json": '{ "type": "commonjs" }', "workflows/x.ts": workflow });
  const { code, stdout, stderr } = await type(BIN, ["try", "x"], { cwd });
  expect(stderr).toBe("");
  expect(stdout).toContain("1 item tried: 1 succeeded");
  expect(code).toBe(0);
});
