import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { TryOptions } from "../commands/try.ts";
import { EXIT } from "../exit-code.ts";
import { findWorkflow, startCompanion } from "../targets/workflow-file.ts";
import { tryFile } from "./try-file.ts";

/** Tries a workflow on this machine, and sets the exit code. */
export async function tryHere(name: string, options: TryOptions): Promise<void> {
  const { file, companion } = findWorkflow(name);
  if (companion === undefined) {
    process.exitCode = await tryFile(file, options);
    return;
  }
  const { environment, close } = await startCompanion(companion);
  try {
    process.exitCode = await inChild(file, options, environment);
  } finally {
    await close();
  }
}

const CHILD = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));

/**
 * Tries a workflow in a process that has the variables of the workflow's companion. The variables of this process stay as
 * they are, because modules may have read them before.
 */
async function inChild(
  file: string,
  options: TryOptions,
  variables: Readonly<Record<string, string>>,
): Promise<number> {
  const { spawn } = await import("node:child_process");
  const words = ["--no-warnings", CHILD, JSON.stringify({ file, options })];
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...variables },
    // The child writes to the terminal itself, so it knows the width, and colours its output.
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise<number | null>((resolve) => void child.on("close", resolve));
  return code ?? EXIT.failed;
}
