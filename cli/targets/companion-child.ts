import { EXIT } from "../exit-code.ts";
import { type Companion, startCompanion } from "./workflow-file.ts";

/**
 * Runs a command in a process that has the variables of the workflow's companion. The variables of this process stay as they
 * are, because modules may have read them before.
 *
 * @param child The path of the module that the process runs. It gets the input as JSON in its first argument.
 * @returns The exit code.
 * @throws {ConfigurationError} The companion cannot be started.
 */
export async function inCompanionChild(companion: string, child: string, input: object): Promise<number> {
  const started = await startCompanion(companion);
  try {
    return await run(child, input, started.environment);
  } finally {
    await started.close();
  }
}

async function run(child: string, input: object, variables: Companion["environment"]): Promise<number> {
  const { spawn } = await import("node:child_process");
  const spawned = spawn(process.execPath, ["--no-warnings", child, JSON.stringify(input)], {
    env: { ...process.env, ...variables },
    // The child writes to the terminal itself, so it knows the width, and colours its output.
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise<number | null>((resolve) => void spawned.on("close", resolve));
  return code ?? EXIT.failed;
}
