#!/usr/bin/env node
// Runs the CLI on Node 24, as Lambda does: on this Node if it is new enough, else on the one of the package `node`.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../cli/sluice.ts", import.meta.url));

function findNode24() {
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  try {
    return join(dirname(createRequire(cli).resolve("node/package.json")), "bin", "node");
  } catch {
    console.error(`sluice needs Node 24 or newer, and this is ${process.version}: npm install --save-dev node@24`);
    process.exit(1);
  }
}

const child = spawn(findNode24(), ["--no-warnings", cli, ...process.argv.slice(2)], { stdio: "inherit" });
// Ctrl-C reaches the child too, which ends cleanly and takes this process along.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (code, signal) => {
  process.exitCode = signal === null ? code : 1;
});
