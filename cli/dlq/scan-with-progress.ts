import { browse } from "../../shared/dead-letters/browse.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { ScanResult } from "../../shared/dead-letters/scan.ts";
import { DeadLetterProgress } from "../screens/dlq/dead-letter-progress.ts";
import type { Target } from "../targets/target.ts";
import { interruptible } from "./interruptible.ts";

/**
 * Reads every dead letter of a workflow and leaves it in the queue. Shows the progress. Ctrl-C ends the scan, and all dead
 * letters become visible again.
 */
export async function scanWithProgress(
  { services, local }: Target,
  see: (deadLetter: DeadLetter) => void,
): Promise<ScanResult> {
  const shown = new DeadLetterProgress("Reading");
  try {
    return await interruptible((signal) =>
      browse(services.deadLetterQueue, see, {
        signal,
        exactCounts: local !== undefined,
        onProgress: (progress) => shown.showScan(progress),
      }),
    );
  } finally {
    shown.end();
  }
}
