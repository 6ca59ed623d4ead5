import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Exploration } from "./explore.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** Runs `npm run explore` with these options, in a process of its own: the code as Node loads it, not as vitest does. */
export function explored(...options: readonly string[]): Promise<ReadonlyMap<string, Exploration>> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--no-warnings", MAIN, "--json", ...options], (error, stdout, stderr) => {
      const lines = stdout.split("\n").filter((line) => line !== "");
      // The exit code says only that a violation was found.
      if (lines.length === 0) reject(new Error(`nothing was explored: ${error?.message}\n${stderr}`));
      const explorations = lines.map((line) => JSON.parse(line) as Exploration & { readonly name: string });
      resolve(new Map(explorations.map((exploration) => [exploration.name, exploration])));
    });
  });
}
