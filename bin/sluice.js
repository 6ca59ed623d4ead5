#!/usr/bin/env node
// Runs the CLI on Node 22.13 or newer: in this process if its Node is new enough, otherwise on the Node of the npm package
// `node`. The repository itself needs Node 24, because it contains TypeScript.
import { spawn } from "node:child_process";
import module, { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

// An import of `node:fs` would load `node:fs/promises` too, for a tenth of the CPU time of `--help`. This does not.
const { existsSync } = createRequire(import.meta.url)("node:fs");

// The repository contains TypeScript. Node runs no TypeScript in `node_modules`, so the published package contains
// JavaScript.
const source = fileURLToPath(new URL("../cli/sluice.ts", import.meta.url));
const cli = existsSync(source) ? source : fileURLToPath(new URL("../dist/cli/sluice.js", import.meta.url));

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
// Since Node 22.13, `node:sqlite` needs no flag: https://nodejs.org/api/sqlite.html
const isNewEnough = major >= 24 || (cli !== source && (major === 23 || (major === 22 && minor >= 13)));

function findNode() {
  if (isNewEnough) return process.execPath;
  // The package `node` is installed beside this package, or in the project in which the command runs.
  for (const from of [cli, join(process.cwd(), "package.json")]) {
    try {
      const manifest = createRequire(from).resolve("node/package.json");
      const node = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
      // The install script of the package downloads this file. Install scripts can be disabled.
      if (existsSync(node)) return node;
    } catch {
      // The package is not installed here.
    }
  }
  console.error(
    `sluice needs Node ${cli === source ? "24" : "22.13"} or newer, and this is ${process.version}. Install a newer Node, or ` +
      `add one to this project only: ${addNode()}`,
  );
  process.exit(1);
}

/** The command that adds Node 24 to the project, for the package manager whose lockfile is nearest. */
function addNode() {
  const lockfiles = { "pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "package-lock.json": "npm" };
  const commands = {
    npm: "npm install --save-dev node@24",
    // pnpm runs only the install scripts that it is told to run: https://pnpm.io/cli/add#--allow-build
    pnpm: "pnpm add --save-dev --allow-build=node node@24",
    yarn: "yarn add --dev node@24",
  };
  const started = /^(npm|pnpm|yarn)\//.exec(process.env.npm_config_user_agent ?? "")?.[1] ?? "npm";
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const found = Object.keys(lockfiles).find((file) => existsSync(join(folder, file)));
    if (found !== undefined) return commands[lockfiles[found]];
    if (dirname(folder) === folder) return commands[started];
  }
}

const words = process.argv.slice(2);
// `dlq` can read 100,000 dead letters, and `results` can convert a million rows. With a small young generation, Node frees
// them early. With few arenas, the C library keeps less free memory. A process can have these settings only from its start.
const readsMuch = words[0] === "dlq" || words[0] === "results";
// The directory that Node uses by default for its cache of compiled code.
const compileCache = process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), "node-compile-cache");

if (isNewEnough && !readsMuch) await runHere();
else runInChild();

/** Runs the CLI in this process. Another process would take more time than `--help`. */
async function runHere() {
  // This has the effect of `--no-warnings`: Node prints its warnings, such as that SQLite is experimental, in this listener.
  process.removeAllListeners("warning");
  module.enableCompileCache(compileCache);
  await import(pathToFileURL(cli).href);
}

function runInChild() {
  const flags = ["--no-warnings", ...(readsMuch ? ["--max-semi-space-size=4"] : [])];
  const env = { ...(readsMuch && { MALLOC_ARENA_MAX: "2" }), ...process.env, NODE_COMPILE_CACHE: compileCache };
  const child = spawn(findNode(), [...flags, cli, ...words], { stdio: "inherit", env });
  // The terminal sends Ctrl-C to the child as well. The child ends cleanly, and then this process ends.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => {
    console.error(`sluice could not be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? code : 1;
  });
}
