#!/usr/bin/env node
// Runs the CLI on Node 24 or newer: on this Node if it is new enough, otherwise on the Node of the npm package `node`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// The repository contains TypeScript. Node runs no TypeScript in `node_modules`, so the published package contains
// JavaScript.
const source = fileURLToPath(new URL("../cli/sluice.ts", import.meta.url));
const cli = existsSync(source) ? source : fileURLToPath(new URL("../dist/cli/sluice.js", import.meta.url));

function findNode24() {
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
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
// `dlq` can read 100,000 dead letters. With a small young generation, Node frees them early. With few arenas, the C
// library keeps less free memory.
const dlq = words[0] === "dlq";
const flags = ["--no-warnings", ...(dlq ? ["--max-semi-space-size=4"] : [])];
const env = {
  // The directory that Node uses by default for its cache of compiled code.
  NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
  ...(dlq && { MALLOC_ARENA_MAX: "2" }),
  ...process.env,
};
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
