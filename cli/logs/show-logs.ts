import type { LogsOptions } from "../commands/logs.ts";
import { EXIT } from "../exit-code.ts";
import { remark } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { runOfItem } from "./log-filter.ts";

/** Prints the log of a run, and sets the exit code. */
export async function showLogs(runOrWorkflow: string | undefined, options: LogsOptions): Promise<void> {
  const { item, stack, region, profile } = options;
  const run = runOrWorkflow ?? (item === undefined ? undefined : runOfItem(item));
  // Checks the id also if the user named the run.
  if (item !== undefined) runOfItem(item);
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  // The reader of the output may close it early, as `head` does.
  process.stdout.once("error", interrupt);
  try {
    const isLocal = stack === undefined && region === undefined && profile === undefined;
    const printed = isLocal
      ? await (await import("./show-local-logs.ts")).showLocalLogs(run, options, interrupted.signal)
      : await (await import("./show-stack-logs.ts")).showStackLogs(run, options, interrupted.signal);
    if (interrupted.signal.aborted) process.exitCode = EXIT.interrupted;
    else if (printed === 0) {
      const message = "No line matches.";
      if (options.json) writeJson({ type: "message", message });
      else remark(message);
      process.exitCode = EXIT.noneMatches;
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.exitCode = EXIT.interrupted;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    process.stdout.off("error", interrupt);
  }
}
