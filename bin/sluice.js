#!/usr/bin/env node
// Runs the CLI on Node 24 or newer: in this process if its Node is new enough, otherwise on the Node of the npm package
// `node`.
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

const isNode24 = Number(process.versions.node.split(".")[0]) >= 24;

function findNode24() {
  if (isNode24) return process.execPath;
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
    `sluice needs Node 24 or newer, and this is ${process.version}. Install a newer Node, or add one to this project only: ` +
      "npm install --save-dev node@24",
  );
  process.exit(1);
}

const words = process.argv.slice(2);
// `dlq` can read 100,000 dead letters, and `results` can convert a million rows. With a small young generation, Node frees
// them early. With few arenas, the C library keeps less free memory. A process can have these settings only from its start.
const readsMuch = words[0] === "dlq" || words[0] === "results";
// The directory that Node uses by default for its cache of compiled code.
const compileCache = process.env.NODE_COMPILE_CACHE ?? join(tmpdir(), "node-compile-cache");

if (isNode24 && !readsMuch) await runHere();
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
  const child = spawn(findNode24(), [...flags, cli, ...words], { stdio: "inherit", env });
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
