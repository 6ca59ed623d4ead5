import type { Queue } from "../aws/queue.ts";
import { jsonText } from "../base/exact-json.ts";
import type { Letter } from "./letter.ts";
import { Pass, type PassOptions, type PassResult } from "./pass.ts";

export interface ExportOptions extends PassOptions {
  readonly deadLetterQueue: Queue;
  /** Which letters. Default: all. */
  readonly select?: ((letter: Letter) => boolean) | undefined;
  /** Takes letters; the next ones come once it resolves. */
  readonly write: (letters: readonly Letter[]) => Promise<void>;
}

export interface ExportResult extends PassResult {
  readonly exported: number;
}

/**
 * Writes letters out, some at a time, and leaves them on the queue.
 *
 * @throws {SluiceError} `DLQ_MOVES_ON`, see `Pass`.
 * @throws What `write` throws.
 */
export async function exportLetters(options: ExportOptions): Promise<ExportResult> {
  const { deadLetterQueue, select = () => true, write } = options;
  let exported = 0;
  const result = await new Pass(deadLetterQueue, options).run(async (held) => {
    const letters = held.map(({ receiptHandle: _, ...letter }) => letter).filter(select);
    if (letters.length > 0) await write(letters);
    exported += letters.length;
  });
  return { ...result, exported };
}

/** A letter as a line of JSON, without the line's end: all that an import needs, and all that a person asks for. */
export const toExportLine = (letter: Letter): string => jsonText({ sluiceLetter: 1, ...letter }) ?? "";
