import { appendFileSync, closeSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Sample, sampleInterval } from "../shared/observe/sample.ts";
import type { StateDirectory } from "./state-directory.ts";

/** The file with the samples of a run: one JSON object per line. */
const fileOf = ({ path }: Pick<StateDirectory, "path">, run: string): string =>
  join(path, "history", `${run.replaceAll(/[^\w.-]/g, "_")}.jsonl`);

/**
 * Keeps the samples of a run in its state directory, for the charts of the dashboard. A run never fails because of its
 * history: what cannot be written is left out.
 */
export class HistoryWriter {
  readonly #file: string;
  /** The refused attempts of the commands that worked on the run before this one. */
  readonly #throttledBefore: number;
  #startedAt: number | undefined;
  #nextAt = 0;

  constructor(state: Pick<StateDirectory, "path">, run: string) {
    this.#file = fileOf(state, run);
    this.#throttledBefore = latestSample(state, run)?.throttled ?? 0;
  }

  /** Whether it is time for the next sample. */
  isDue(now: number): boolean {
    return now >= this.#nextAt;
  }

  /** @param sample A sample of this command, whose `throttled` counts from the start of the command. */
  add(sample: Sample): void {
    const ofRun = { ...sample, throttled: this.#throttledBefore + sample.throttled };
    this.#startedAt ??= sample.at;
    this.#nextAt = sample.at + sampleInterval(sample.at - this.#startedAt);
    try {
      mkdirSync(join(this.#file, ".."), { recursive: true, mode: 0o700 });
      appendFileSync(this.#file, `${JSON.stringify(ofRun)}\n`, { mode: 0o600 });
    } catch {
      // The charts then lack this sample.
    }
  }
}

/** Reads the samples of a run, each once: `read` returns those that were added since the call before. */
export class HistoryReader {
  readonly #file: string;
  #offset = 0;

  constructor(state: Pick<StateDirectory, "path">, run: string) {
    this.#file = fileOf(state, run);
  }

  async read(): Promise<readonly Sample[]> {
    const size = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    // The state was deleted, and the run has a new file.
    if (size < this.#offset) this.#offset = 0;
    if (size === this.#offset) return [];
    const file = await open(this.#file);
    try {
      const bytes = Buffer.alloc(size - this.#offset);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#offset);
      // The last line may still be incomplete.
      const end = bytes.subarray(0, bytesRead).lastIndexOf("\n") + 1;
      this.#offset += end;
      return bytes.toString("utf8", 0, end).split("\n").flatMap(parse);
    } finally {
      await file.close();
    }
  }
}

/** No sample is longer than this. */
const LONGEST_SAMPLE = 4_096;

/** The latest sample of a run. It reads only the end of the file. `undefined`: there is none. */
export function latestSample(state: Pick<StateDirectory, "path">, run: string): Sample | undefined {
  const file = fileOf(state, run);
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return undefined;
  const bytes = Buffer.alloc(Math.min(size, LONGEST_SAMPLE));
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
  } finally {
    closeSync(descriptor);
  }
  // A line that is being written has no end yet.
  const lines = bytes.toString("utf8", 0, bytes.lastIndexOf("\n") + 1).trimEnd();
  return parse(lines.slice(lines.lastIndexOf("\n") + 1))[0];
}

function parse(line: string): Sample[] {
  if (line === "") return [];
  try {
    return [JSON.parse(line) as Sample];
  } catch {
    // A full disk can leave a part of a line.
    return [];
  }
}
