#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// The repository contains TypeScript, and the published package contains JavaScript.
const source = new URL("./main.ts", import.meta.url);
const main = existsSync(fileURLToPath(source)) ? source : new URL("./dist/main.js", import.meta.url);
const { createCommand } = await import(main.href);
process.exitCode = await createCommand(process.argv.slice(2));
