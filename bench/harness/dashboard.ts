import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { machine } from "./machine.ts";
import { fillPage, markdownTable } from "./page.ts";

const CLI = fileURLToPath(new URL("../../cli/sluice.ts", import.meta.url));
const PAGE = new URL("../../docs/internals/dashboard.md", import.meta.url);

/** Begins a command of Sluice in a directory. It prints JSON lines. */
export const begin = (directory: string, ...words: readonly string[]): ChildProcess =>
  spawn(process.execPath, ["--no-warnings", CLI, ...words, "--json"], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });

/** A dashboard in a process of its own. */
export interface RunningDashboard {
  readonly url: string;
  readonly pid: number;
  end(): Promise<void>;
}

export async function beginDashboard(directory: string): Promise<RunningDashboard> {
  const child = begin(directory, "ui", "--no-open");
  const [line] = await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line");
  return {
    url: (JSON.parse(String(line)) as { readonly url: string }).url,
    pid: child.pid ?? 0,
    async end() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** The kernel counts in these, on all architectures of Linux that Node supports: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const TICKS_PER_SECOND = 100;

/** Seconds of CPU time of a process, and of its children that have ended. */
export function cpuSeconds(pid: number | "self"): { readonly own: number; readonly ofEndedChildren: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name of the process, in brackets, may have blanks.
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / TICKS_PER_SECOND, ofEndedChildren: (childUser + childSystem) / TICKS_PER_SECOND };
}

/** The peak of a process's resident memory, in 10⁶ bytes: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
export function peakMemoryMb(pid: number): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return (Number(kilobytes) * 1_024) / 1e6;
}

/** Writes a table into its place in `docs/internals/dashboard.md`, with the day and the machine. */
export function writeTable(name: string, header: readonly string[], lines: readonly (readonly string[])[]): void {
  const numeric = header.map((_, column) => column).slice(1);
  const when = `Measured ${new Date().toISOString().slice(0, 10)} on ${machine()}.`;
  fillPage(PAGE, new Map([[name, `${markdownTable(header, lines, numeric)}\n\n${when}`]]));
}
