import { spawn } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigurationError, toError } from "../../shared/base/errors.ts";
import { parseJson, UnsafeNumberError } from "../../shared/base/exact-json.ts";
import type { TryOptions } from "../commands/try.ts";
import { EXIT } from "../exit-code.ts";
import { loadWorkflow, startCompanion } from "../targets/workflow-file.ts";
import { tryWorkflow } from "./try-workflow.ts";

/** Tries a workflow on this machine, and sets the exit code. */
export async function tryHere(name: string, options: TryOptions): Promise<void> {
  const given = options.item?.map(parseItem);
  const { workflow, file, companion } = await loadWorkflow(name);
  if (companion === undefined) {
    process.exitCode = await tryWorkflow(workflow, { ...options, given });
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
  const words = ["--no-warnings", CHILD, JSON.stringify({ file, options })];
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...variables },
    // The child writes to the terminal itself, so it knows the width, and colours its output.
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = (await once(child, "close")) as [number | null];
  return code ?? EXIT.failed;
}

/**
 * The item of an option `--item`. A large integer becomes a bigint, so no number is altered.
 *
 * @throws {ConfigurationError} The text is not JSON, or has a number that JavaScript would alter.
 */
export function parseItem(text: string): unknown {
  try {
    return parseJson(text, "bigint");
  } catch (cause) {
    if (cause instanceof UnsafeNumberError) throw new ConfigurationError(`--item: ${cause.message}`, { cause });
    throw new ConfigurationError(
      `--item is not JSON: ${toError(cause).message}. Write an object as --item '{"id":"1"}', and text as --item '"text"'`,
      { cause },
    );
  }
}
