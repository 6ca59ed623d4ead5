import type { Queue } from "../aws/queue.ts";
import { jsonText } from "../base/exact-json.ts";
import type { DeadLetter } from "./read-dead-letter.ts";
import { Scan, type ScanOptions, type ScanResult } from "./scan.ts";

export interface ExportOptions extends ScanOptions {
  readonly deadLetterQueue: Queue;
  /** Which dead letters. Default: all. */
  readonly select?: ((deadLetter: DeadLetter) => boolean) | undefined;
  /** Writes some dead letters. The next ones follow when its promise resolves. */
  readonly write: (deadLetters: readonly DeadLetter[]) => Promise<void>;
}

export interface ExportResult extends ScanResult {
  readonly exported: number;
}

/**
 * Passes dead letters to `write`, several at a time, and leaves them in the queue.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Scan`.
 * @throws What `write` throws.
 */
export async function exportDeadLetters(options: ExportOptions): Promise<ExportResult> {
  const { deadLetterQueue, select = () => true, write } = options;
  let exported = 0;
  const result = await new Scan(deadLetterQueue, options).run(async (held) => {
    const deadLetters = held.map(({ receiptHandle: _, ...deadLetter }) => deadLetter).filter(select);
    if (deadLetters.length > 0) await write(deadLetters);
    exported += deadLetters.length;
  });
  return { ...result, exported };
}

/** A dead letter as one line of JSON, without the end of the line. It has all that an import needs. */
export const toExportLine = (deadLetter: DeadLetter): string => jsonText({ sluiceLetter: 1, ...deadLetter }) ?? "";
