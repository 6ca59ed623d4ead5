import type { Queue } from "../aws/queue.ts";
import { jsonText } from "../base/exact-json.ts";
import { Pass, type PassOptions, type PassResult } from "./pass.ts";
import type { DeadLetter } from "./read-dead-letter.ts";

export interface ExportOptions extends PassOptions {
  readonly deadLetterQueue: Queue;
  /** Which letters. Default: all. */
  readonly select?: ((deadLetter: DeadLetter) => boolean) | undefined;
  /** Takes dead letters; the next ones come once it resolves. */
  readonly write: (deadLetters: readonly DeadLetter[]) => Promise<void>;
}

export interface ExportResult extends PassResult {
  readonly exported: number;
}

/**
 * Writes dead letters out, some at a time, and leaves them on the queue.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Pass`.
 * @throws What `write` throws.
 */
export async function exportDeadLetters(options: ExportOptions): Promise<ExportResult> {
  const { deadLetterQueue, select = () => true, write } = options;
  let exported = 0;
  const result = await new Pass(deadLetterQueue, options).run(async (held) => {
    const deadLetters = held.map(({ receiptHandle: _, ...deadLetter }) => deadLetter).filter(select);
    if (deadLetters.length > 0) await write(deadLetters);
    exported += deadLetters.length;
  });
  return { ...result, exported };
}

/** A dead letter as a line of JSON, without the line's end: all that an import needs, and all that a person asks for. */
export const toExportLine = (deadLetter: DeadLetter): string => jsonText({ sluiceLetter: 1, ...deadLetter }) ?? "";
