import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));
const run = promisify(execFile);

/** Removed with `node_modules`, and made anew for other requirements. */
const venv = join(
  root,
  "node_modules/.cache/sluice",
  `venv-${createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12)}`,
);

/** A command of the virtual environment. */
export const pythonCommand = (name: string): string => join(venv, "bin", name);

/** Makes the virtual environment with what the tests need of Python, unless it is there. */
export async function installPython(): Promise<void> {
  // Written last: an installation that was interrupted is done again.
  const complete = join(venv, "complete");
  if (existsSync(complete)) return;
  try {
    await run("python3", ["-m", "venv", "--clear", venv]);
  } catch (cause) {
    throw new Error("the deploy tests need Python 3 with its venv module", { cause });
  }
  const options = ["--quiet", "--disable-pip-version-check", "--no-input"];
  await run(pythonCommand("python"), ["-m", "pip", "install", ...options, "-r", requirements]);
  writeFileSync(complete, "");
}
