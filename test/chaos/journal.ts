import { appendFileSync, closeSync, existsSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** A line that a process of a run writes down. No code of Sluice is involved: the checker relies on the journal. */
export type Line = { readonly pid: number /** Of the machine's monotonic clock. */; readonly milliseconds: number } & (
  | { readonly type: "process"; readonly role: "engine" | "producer" | "consumer" | "isolated" }
  /** The process ends by itself. A killed process writes no such line. */
  | { readonly type: "exit" }
  | { readonly type: "read"; readonly from: number }
  /** How long the source must wait. */
  | { readonly type: "refused"; readonly forMilliseconds: number }
  | {
      readonly type: "start";
      readonly item: number;
      readonly id: string;
      readonly key: string;
      readonly attempt: number;
    }
  /** The attempt's signal fired: nothing that the task does from now on counts. */
  | { readonly type: "abort"; readonly key: string }
  /** `wait`: the task asked for a wait. */
  | { readonly type: "end"; readonly key: string; readonly ok: boolean; readonly wait?: true }
  | { readonly type: "complete"; readonly summary: Readonly<Record<string, unknown>> }
  | { readonly type: "completion failed" }
  | { readonly type: "fault"; readonly fault: string }
);

type Unstamped<Each> = Each extends Line ? Omit<Each, "pid" | "milliseconds"> : never;
export type Entry = Unstamped<Line>;

export const journalOf = (directory: string): string => join(directory, "journal.jsonl");

/** A clock that is the same in every process of the machine. No fault shifts it. */
export const monotonicMilliseconds = (): number => Number(process.hrtime.bigint()) / 1e6;

/**
 * Appends a line at once: a process that is killed right afterwards has written it. A process that is killed during the
 * write may have written a part of it, so each line also begins with a line break.
 */
export function note(directory: string, entry: Entry): void {
  const line = { ...entry, pid: process.pid, milliseconds: monotonicMilliseconds() };
  appendFileSync(journalOf(directory), `\n${JSON.stringify(line)}\n`);
}

/** Reads the lines of a journal while it grows. */
export class JournalReader {
  readonly #file: string;
  #descriptor: number | undefined;
  #rest = "";
  readonly lines: Line[] = [];

  constructor(directory: string) {
    this.#file = journalOf(directory);
  }

  /** Reads and returns the new lines. */
  read(): readonly Line[] {
    if (this.#descriptor === undefined) {
      if (!existsSync(this.#file)) return [];
      this.#descriptor = openSync(this.#file, "r");
    }
    const chunk = Buffer.alloc(65_536);
    const bytes: Buffer[] = [];
    for (let size = -1; size !== 0; ) {
      size = readSync(this.#descriptor, chunk, 0, chunk.length, null);
      bytes.push(Buffer.from(chunk.subarray(0, size)));
    }
    const parts = (this.#rest + Buffer.concat(bytes).toString()).split("\n");
    this.#rest = parts.pop() ?? "";
    const fresh = parts.flatMap(parse);
    this.lines.push(...fresh);
    return fresh;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}

/** The line that a text is; none if the text is empty or only a part of a line. */
function parse(text: string): Line[] {
  try {
    return [JSON.parse(text) as Line];
  } catch {
    return [];
  }
}
