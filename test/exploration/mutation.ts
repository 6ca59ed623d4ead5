import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Exploration } from "./explore.ts";
import type { Mutant } from "./mutants.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** All that an exploration needs. */
const FILES = ["package.json", "shared", "cli/runs/continue-run.ts", "test/exploration"];

/** Explores what `npm test` does, in a process of its own: the code as it is, and not as a test runner changes it. */
export const exploreShort = (): Promise<readonly Exploration[]> => explored(ROOT);

/** Explores a copy of the code in which a mistake was made. */
export async function exploreMutant({ file, from, to, scope }: Mutant): Promise<Exploration> {
  const copy = mkdtempSync(join(tmpdir(), "sluice-mutant-"));
  try {
    for (const each of FILES) {
      mkdirSync(dirname(join(copy, each)), { recursive: true });
      cpSync(join(ROOT, each), join(copy, each), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const original = readFileSync(join(copy, file), "utf8");
    const parts = original.split(from);
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times what is to be changed: ${from}`);
    writeFileSync(join(copy, file), parts.join(to));
    const [exploration] = await explored(copy, "--scope", scope);
    if (exploration === undefined) throw new Error(`there is no scope "${scope}"`);
    return exploration;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function explored(directory: string, ...options: readonly string[]): Promise<readonly Exploration[]> {
  const main = join(directory, "test/exploration/main.ts");
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--no-warnings", main, "--json", ...options], (error, stdout, stderr) => {
      const lines = stdout.split("\n").filter((line) => line !== "");
      // Its exit code says only that something was found.
      if (lines.length === 0) reject(new Error(`nothing was explored: ${error?.message}\n${stderr}`));
      else resolve(lines.map((line) => JSON.parse(line) as Exploration));
    });
  });
}
