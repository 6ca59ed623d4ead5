/**
 * Prints the CPU seconds that a command and all processes below it use: `node test/cpu-seconds.ts npm run gate`.
 *
 * Unlike the shell's `time`, it counts processes that outlive their parents, such as esbuild's. It needs Linux: it reads
 * https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const SAMPLE_MILLISECONDS = 50;
/** An environment variable by which the processes below are found, even if their parents ended before a sample. */
const MARK = `SLUICE_CPU_SECONDS=${process.pid}`;
const TICKS_PER_SECOND = 100;

interface Sample {
  readonly parent: number;
  /** In clock ticks, its own and of all children that it has waited for. */
  readonly ticks: number;
  /** Tells two processes apart that had the same number. */
  readonly startedAt: string;
}

/** Reads a process; `undefined` if it has ended. */
function sample(pid: number | "self"): Sample | undefined {
  try {
    const [, text = ""] = readFileSync(`/proc/${pid}/stat`, "latin1").split(/^.*\) /s);
    const fields = text.split(" ");
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { parent: Number(fields[1]), ticks, startedAt: String(fields[19]) };
  } catch {
    return undefined;
  }
}

function isMarked(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(MARK);
  } catch {
    // It has ended, or belongs to another user.
    return false;
  }
}

/** The CPU time of processes whose parents ended before them. No ancestor counts it. */
class Orphans {
  readonly #known = new Map<number, Sample>([[process.pid, sample("self") as Sample]]);
  /** The start of each process of others. */
  readonly #strange = new Map<number, string>();
  readonly #orphans = new Map<string, number>();

  /** Reads all processes once. */
  look(): void {
    const all = new Map<number, Sample>();
    for (const name of readdirSync("/proc")) {
      const found = /^\d+$/.test(name) ? sample(Number(name)) : undefined;
      if (found !== undefined) all.set(Number(name), found);
    }
    for (const [pid, { startedAt }] of this.#known) if (all.get(pid)?.startedAt !== startedAt) this.#known.delete(pid);
    for (const [pid, found] of all) {
      if (pid === process.pid || this.#strange.get(pid) === found.startedAt) continue;
      if (this.#known.has(pid) || this.#known.has(found.parent) || isMarked(pid)) this.#known.set(pid, found);
      else this.#strange.set(pid, found.startedAt);
    }
    for (const [pid, { parent, ticks, startedAt }] of this.#known) {
      if (pid !== process.pid && !this.#known.has(parent)) this.#orphans.set(`${pid} ${startedAt}`, ticks);
    }
  }

  get seconds(): number {
    return [...this.#orphans.values()].reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_SECOND;
  }
}

const [command = "", ...words] = process.argv.slice(2);
const orphans = new Orphans();
const timer = setInterval(() => orphans.look(), SAMPLE_MILLISECONDS);
const child = spawn(command, words, {
  stdio: "inherit",
  env: { ...process.env, SLUICE_CPU_SECONDS: String(process.pid) },
});
child.on("error", (error) => {
  clearInterval(timer);
  console.error(`${command} cannot be started: ${error.message}`);
  process.exitCode = 1;
});
child.on("exit", (code) => {
  clearInterval(timer);
  const fields =
    readFileSync("/proc/self/stat", "latin1")
      .split(/^.*\) /s)[1]
      ?.split(" ") ?? [];
  const waitedFor = (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
  const total = (waitedFor + orphans.seconds).toFixed(1);
  console.error(
    `${total} CPU seconds, of which ${orphans.seconds.toFixed(1)} of processes that outlived their parents`,
  );
  process.exitCode = code ?? 1;
});
