import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { olderLog } from "../../local/bounded-log.ts";
import type { LogLine, LogOrigin } from "./log-line.ts";
import { parseLogLine } from "./log-line.ts";

/** A line with the run that it is of. */
export interface RunLine {
  readonly line: LogLine;
  /** `undefined`: the line names no run, and none was under way. */
  readonly run: string | undefined;
}

/** Reads the log of one function on this machine: what is there, and then what is added. */
export class LocalLog {
  readonly #file: string;
  readonly #from: LogOrigin;
  #position: number | undefined;
  #decoder = new StringDecoder("utf8");
  #unfinished = "";
  /** The run of the latest line that names one. */
  #run: string | undefined;
  #at: number | undefined;

  constructor(file: string, from: LogOrigin) {
    this.#file = file;
    this.#from = from;
  }

  /** Leaves out what is there. */
  skip(): void {
    this.read();
  }

  /** The lines since the last call. */
  read(): readonly RunLine[] {
    let text: string;
    if (this.#position === undefined) {
      text = this.#textOf(olderLog(this.#file), 0) + this.#rest(0);
    } else if (sizeOf(this.#file) < this.#position) {
      // The lines have moved to the file of older lines.
      text = this.#textOf(olderLog(this.#file), this.#position) + this.#rest(0);
    } else {
      text = this.#rest(this.#position);
    }
    const lines = (this.#unfinished + text).split("\n");
    this.#unfinished = lines.pop() ?? "";
    return lines.flatMap((each) => this.#lineOf(each) ?? []);
  }

  #lineOf(text: string): RunLine | undefined {
    const line = parseLogLine(text, this.#from);
    if (line === undefined) return undefined;
    this.#run = line.run ?? this.#run;
    this.#at = line.at ?? this.#at;
    return { line: { ...line, at: this.#at }, run: this.#run };
  }

  #rest(from: number): string {
    const text = this.#textOf(this.#file, from);
    this.#position = from + this.#read;
    return text;
  }

  /** The bytes that the last call of `#textOf` has read. */
  #read = 0;

  #textOf(file: string, from: number): string {
    this.#read = 0;
    const descriptor = openOrAbsent(file);
    if (descriptor === undefined) return "";
    try {
      const bytes = Math.max(0, fstatSync(descriptor).size - from);
      const buffer = Buffer.alloc(bytes);
      this.#read = bytes === 0 ? 0 : readSync(descriptor, buffer, 0, bytes, from);
      return this.#decoder.write(buffer.subarray(0, this.#read));
    } finally {
      closeSync(descriptor);
    }
  }
}

function sizeOf(file: string): number {
  const descriptor = openOrAbsent(file);
  if (descriptor === undefined) return 0;
  try {
    return fstatSync(descriptor).size;
  } finally {
    closeSync(descriptor);
  }
}

function openOrAbsent(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The lines of several logs in the order of their times. */
export function inOrder(logs: readonly (readonly RunLine[])[]): readonly RunLine[] {
  return logs.flat().sort((a, b) => (a.line.at ?? 0) - (b.line.at ?? 0));
}
