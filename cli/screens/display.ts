import type { LiveProgress } from "../../shared/observe/live-progress.ts";
import { JsonLines } from "./json-lines.ts";
import { LiveBar } from "./live-bar.ts";
import { PlainLines } from "./plain-lines.ts";

/** Shows how a run starts and progresses. */
export interface Display {
  /** Says what the command is doing before the run begins: "bundling the functions". */
  starting(step: string): void;
  show(progress: LiveProgress): void;
  /** Prints a line that stays. */
  say(line: string): void;
  end(): void;
}

/** JSON lines with `--json`, a live bar on a terminal, else a plain line now and then. */
export function chooseDisplay({ json }: { json: boolean }): Display {
  if (json) return new JsonLines();
  return process.stderr.isTTY ? new LiveBar() : new PlainLines();
}
