import { appendFileSync, closeSync, existsSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** What the processes of a run write down. Nothing of Sluice has a part in it: it is what the checker believes. */
export type Line = { readonly pid: number /** Of the machine's monotonic clock. */; readonly milliseconds: number } & (
  | { readonly type: "process"; readonly role: "engine" | "producer" | "consumer" | "isolated" }
  /** It ends by itself. One that is killed cannot tell. */
  | { readonly type: "exit" }
  | { readonly type: "read"; readonly from: number }
  /** The source was told to wait for so long. */
  | { readonly type: "refused"; readonly forMilliseconds: number }
  | {
      readonly type: "start";
      readonly item: number;
      readonly id: string;
      readonly key: string;
      readonly attempt: number;
    }
  /** The attempt's signal fired: whatever the task goes on to do counts no more. */
  | { readonly type: "abort"; readonly key: string }
  /** `wait`: the task asked for one. */
  | { readonly type: "end"; readonly key: string; readonly ok: boolean; readonly wait?: true }
  | { readonly type: "complete"; readonly summary: Readonly<Record<string, unknown>> }
  | { readonly type: "completion failed" }
  | { readonly type: "fault"; readonly fault: string }
);

type Unstamped<Each> = Each extends Line ? Omit<Each, "pid" | "milliseconds"> : never;
export type Entry = Unstamped<Line>;

export const journalOf = (directory: string): string => join(directory, "journal.jsonl");

/** The same clock in every process of the machine; no fault shifts it. */
export const monotonicMilliseconds = (): number => Number(process.hrtime.bigint()) / 1e6;

/**
 * Appends a line at once: a process that is killed right after has still written it. One that is killed meanwhile may
 * have written a part, up to a page of the file: so a line also begins with a line break.
 */
export function note(directory: string, entry: Entry): void {
  const line = { ...entry, pid: process.pid, milliseconds: monotonicMilliseconds() };
  appendFileSync(journalOf(directory), `\n${JSON.stringify(line)}\n`);
}

/** Reads the lines of a journal as they come. */
export class JournalReader {
  readonly #file: string;
  #descriptor: number | undefined;
  #rest = "";
  readonly lines: Line[] = [];

  constructor(directory: string) {
    this.#file = journalOf(directory);
  }

  /** Reads on, and returns the new lines. */
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

/** Nothing for what is empty, or a part of a line. */
function parse(text: string): Line[] {
  try {
    return [JSON.parse(text) as Line];
  } catch {
    return [];
  }
}
