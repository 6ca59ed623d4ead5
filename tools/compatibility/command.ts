import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";

/** A step that takes longer than this hangs. It includes the download of all packages on a slow machine. */
const LONGEST_MILLISECONDS = 20 * 60_000;

export interface CommandResult {
  readonly code: number;
  readonly printed: string;
}

/** Runs a command to its end, and appends the command and all that it prints to a log. */
export function runCommand(
  [command = "", ...words]: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly log: string },
): Promise<CommandResult> {
  const { cwd, env, log } = options;
  const note = (text: string) => appendFileSync(log, text);
  note(`\n$ ${[command, ...words].join(" ")}    (in ${cwd}, at ${new Date().toISOString()})\n`);
  return new Promise((resolve) => {
    // It leads a process group, so that all processes of a step that hangs can be ended.
    const child = spawn(command, words, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let printed = "";
    const end = (code: number) => {
      clearTimeout(limit);
      note(`exit code ${code}, at ${new Date().toISOString()}\n`);
      resolve({ code, printed });
    };
    const take = (chunk: unknown) => {
      printed += String(chunk);
      note(String(chunk));
    };
    const limit = setTimeout(() => {
      take(`\nthe step took longer than ${LONGEST_MILLISECONDS / 60_000} minutes\n`);
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, LONGEST_MILLISECONDS);
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error) => {
      take(`${error.message}\n`);
      end(127);
    });
    child.on("close", (code) => end(code ?? 1));
  });
}
