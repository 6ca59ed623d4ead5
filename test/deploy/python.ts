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
  await step(
    ["python3", "-m", "venv", "--clear", venv],
    "The deploy tests need Python 3.10 or newer with its venv module, which Debian and Ubuntu have apart: " +
      "apt-get install python3 python3-venv",
  );
  const options = ["--quiet", "--disable-pip-version-check", "--no-input"];
  await step(
    [pythonCommand("python"), "-m", "pip", "install", ...options, "-r", requirements],
    "The deploy tests install what requirements.txt pins from PyPI: is it within reach, and Python 3.10 or newer?",
  );
  writeFileSync(complete, "");
}

/** @throws {Error} It failed: with what it printed, and what is needed. */
async function step([command = "", ...words]: readonly string[], needed: string): Promise<void> {
  try {
    await run(command, words);
  } catch (cause) {
    const { stdout = "", stderr = "", message } = cause as Error & { stdout?: string; stderr?: string };
    throw new Error([needed, message, stdout, stderr].filter((text) => text.trim() !== "").join("\n"), { cause });
  }
}
