#!/usr/bin/env node
// Runs the CLI on Node 24, as Lambda does: on this Node if it is new enough, else on the one of the package `node`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// In the checkout it is TypeScript. Node runs none in `node_modules`, so the published package holds it compiled.
const source = fileURLToPath(new URL("../cli/sluice.ts", import.meta.url));
const cli = existsSync(source) ? source : fileURLToPath(new URL("../dist/cli/sluice.js", import.meta.url));

function findNode24() {
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  // Beside this package, or in the project in which the command is typed.
  for (const from of [cli, join(process.cwd(), "package.json")]) {
    try {
      const manifest = createRequire(from).resolve("node/package.json");
      const node = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
      // Its own installation puts it there, and may have been forbidden to.
      if (existsSync(node)) return node;
    } catch {
      // Not there.
    }
  }
  console.error(
    `sluice needs Node 24 or newer, and this is ${process.version}. Install it, or add it to this project, which ` +
      "leaves the machine's own as it is: npm install --save-dev node@24",
  );
  process.exit(1);
}

const words = process.argv.slice(2);
// Dead letters pass through `dlq` by the 100,000: what is collected while it is young takes no memory for long, and an arena
// for each thread would hold free memory several times.
const dlq = words[0] === "dlq";
const flags = ["--no-warnings", ...(dlq ? ["--max-semi-space-size=4"] : [])];
const env = {
  // Where Node keeps compiled code by itself, when it is asked to.
  NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"),
  ...(dlq && { MALLOC_ARENA_MAX: "2" }),
  ...process.env,
};
const child = spawn(findNode24(), [...flags, cli, ...words], { stdio: "inherit", env });
// Ctrl-C reaches the child too, which ends cleanly and takes this process along.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", (error) => {
  console.error(`sluice could not be started: ${error.message}`);
  process.exitCode = 1;
});
child.on("exit", (code, signal) => {
  process.exitCode = signal === null ? code : 1;
});
