import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "./plan.ts";
import { DIRECTORY, isInterrupted } from "./process.ts";

/** Files on which the coverage of the tests depends. */
const FILES = [
  "shared/**/*.ts",
  "local/**/*.ts",
  "functions/**/*.ts",
  "cli/**/*.ts",
  "test/{unit,integration,helpers}/**/*.ts",
];

/** Returns the coverage of the last time, if no file has changed since then. */
export async function ofSameFiles(
  name: string,
  code: Readonly<Record<string, string>>,
  tests: readonly string[],
  find: () => Promise<readonly Entry[]>,
): Promise<readonly Entry[]> {
  const hash = createHash("sha256").update(JSON.stringify([code, tests]));
  for (const path of globSync(FILES).sort()) hash.update(path).update(readFileSync(path));
  const key = hash.digest("hex");
  const file = join(DIRECTORY, `${name}.coverage.json`);
  const before = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  if (before.key === key) return before.entries;
  const entries = await find();
  if (!isInterrupted) writeFileSync(file, JSON.stringify({ key, entries }));
  return entries;
}
