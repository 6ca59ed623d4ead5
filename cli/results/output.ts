import type { ResultFormat } from "../../shared/definition/results-options.ts";
import { NewFile } from "../new-file.ts";
import { printable, printableJson } from "../screens/printable.ts";

/** Where a command writes rows. */
export interface Output {
  /** Aborted when the reader of the standard output closed it before the end, as `head` does. */
  readonly closed: AbortSignal | undefined;
  /** Resolves when more can be written without filling the memory. */
  write(content: string | Uint8Array): Promise<void>;
  /** Everything was written. */
  finish(): Promise<void>;
  /** Not everything could be written: a file does not appear. */
  discard(): Promise<void>;
}

/** Writes to the standard output. */
export function standardOutput(format: ResultFormat): Output {
  const { stdout } = process;
  const closed = new AbortController();
  stdout.once("error", () => closed.abort());
  // Results come from other services, and must not control the terminal.
  const safe = stdout.isTTY ? (format === "csv" ? printable : printableJson) : undefined;
  return {
    closed: closed.signal,
    async write(content) {
      if (closed.signal.aborted || content.length === 0) return;
      const shown = safe === undefined ? content : safe(typeof content === "string" ? content : decode(content));
      if (stdout.write(shown)) return;
      await new Promise<void>((resolve) => {
        const go = () => {
          stdout.off("drain", go);
          closed.signal.removeEventListener("abort", go);
          resolve();
        };
        stdout.once("drain", go);
        closed.signal.addEventListener("abort", go, { once: true });
      });
    },
    finish: async () => {},
    discard: async () => {},
  };
}

const decode = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();

/** Writes to a file, which appears once it is complete. */
export async function fileOutput(path: string, force: boolean): Promise<Output> {
  const instead = "With --output -, the results are printed on the standard output";
  const file = await NewFile.create(path, { force, instead });
  return {
    closed: undefined,
    write: async (content) => await file.write(content),
    async finish() {
      await file.sync();
      await file.finish();
    },
    discard: async () => await file.discard(),
  };
}
