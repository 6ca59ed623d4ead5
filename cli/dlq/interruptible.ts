import { EXIT } from "../exit-code.ts";

/**
 * Runs work that Ctrl-C or SIGTERM ends cleanly. The first Ctrl-C or SIGTERM aborts the `AbortSignal` that `work` gets.
 * The second one ends the process at once.
 *
 * @param onInterrupt Called at the first Ctrl-C or SIGTERM.
 */
export async function interruptible<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  onInterrupt: () => void = () => {},
): Promise<Result> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
    onInterrupt();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}
