import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The result of a run that was killed and resumed. */
export interface KillResult {
  /** Since the command was started. */
  readonly killedAfterSeconds: number;
  readonly processes: number;
  /** Items that had succeeded before the kill. */
  readonly settledBefore: number;
  readonly succeeded: number;
  readonly resumedSeconds: number;
  readonly wrong: string | undefined;
}

const SLUICE = fileURLToPath(new URL("../../bin/sluice.js", import.meta.url));
const WORKFLOW = fileURLToPath(new URL("../../workflows/seconds.ts", import.meta.url));
const ITEMS = 1_000;
/** A variable that marks every process of a run, whatever its parent is. */
export const MARK = "SLUICE_KILLS";
/** If a command has not begun its run at the moment of the kill, it is killed as soon as it has. */
const BEGUN_POLL_MILLISECONDS = 1;

/** Runs `seconds` in an empty directory, kills all its processes after some seconds, and resumes the run. */
export async function killAndResume(seconds: number, directory: string): Promise<KillResult> {
  const mark = `${process.pid}-${Math.round(seconds * 1_000)}`;
  const started = performance.now();
  const run = type(directory, mark, "run", WORKFLOW, "--json");
  const ended = once(run, "exit");
  await Promise.race([setTimeout(seconds * 1_000), ended]);
  // Before the run is there, nothing can be resumed.
  const begun = join(directory, ".sluice/seconds/workflow.json");
  while (!existsSync(begun) && run.exitCode === null) await setTimeout(BEGUN_POLL_MILLISECONDS);
  const killedAfterSeconds = (performance.now() - started) / 1_000;
  const processes = await killMarked(mark);
  await ended;
  const before = await output(type(directory, mark, "status", "--json"));
  const [latest = {}] = before.lines;
  const resumed = performance.now();
  const { code, lines } = await output(type(directory, mark, "resume", "--json"));
  const summary = lines.at(-1) ?? {};
  const after = (await output(type(directory, mark, "status", "--json"))).lines;
  return {
    killedAfterSeconds,
    processes,
    settledBefore: Number(latest.succeeded ?? 0),
    succeeded: Number(after[0]?.succeeded ?? 0),
    resumedSeconds: (performance.now() - resumed) / 1_000,
    wrong: whatIsWrong(code, summary, after),
  };
}

type Line = Readonly<Record<string, unknown>>;

function whatIsWrong(code: number | null, summary: Line, runs: readonly Line[]): string | undefined {
  // If it was killed after its end, nothing was left to resume.
  const over = summary.code === "RUN_ENDED" && code === 1;
  if (!over && code !== 0) return `resume ended with exit code ${code}: ${JSON.stringify(summary)}`;
  if (runs.length !== 1) return `there are ${runs.length} runs`;
  const [{ status, produced, succeeded, dead, pending, cancelled } = {} as Line] = runs;
  const counts = { status, produced, succeeded, dead, pending, cancelled };
  const expected = { status: "completed", produced: ITEMS, succeeded: ITEMS, dead: 0, pending: 0, cancelled: 0 };
  if (JSON.stringify(counts) !== JSON.stringify(expected)) return `the run ended as ${JSON.stringify(counts)}`;
  if (!over && summary.succeeded !== ITEMS) return `resume told ${JSON.stringify(summary)}`;
  return undefined;
}

function type(directory: string, mark: string, ...words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [SLUICE, ...words], {
    cwd: directory,
    env: { ...process.env, [MARK]: mark },
    stdio: ["ignore", "pipe", "ignore"],
  });
}

async function output(command: ChildProcess): Promise<{ code: number | null; lines: readonly Line[] }> {
  const closed = once(command, "close");
  const printed = command.stdout === null ? "" : await text(command.stdout);
  const [code] = await closed;
  const lines = printed.split("\n").filter((line) => line !== "");
  return { code, lines: lines.map((line) => JSON.parse(line) as Line) };
}

/** Kills every process with the mark until none is left. Returns how many there were. */
export async function killMarked(mark: string): Promise<number> {
  const killed = new Set<number>();
  for (let found = marked(mark); found.length > 0; found = marked(mark)) {
    for (const pid of found) {
      killed.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // The process has ended already.
      }
    }
    await setTimeout(BEGUN_POLL_MILLISECONDS);
  }
  return killed.size;
}

/** https://man7.org/linux/man-pages/man5/proc_pid_environ.5.html */
function marked(mark: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`${MARK}=${mark}`);
      } catch {
        // The process has ended, or belongs to another user.
        return false;
      }
    })
    .map(Number);
}
