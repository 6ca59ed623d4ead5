import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { killMarked, MARK } from "../killed-run.ts";
import { Random } from "../random.ts";

const WORKFLOW = "killed-results";
const RUN = "run-1";
const ENGINE = fileURLToPath(new URL("engine-process.ts", import.meta.url));
const CHECK = fileURLToPath(new URL("check_results.py", import.meta.url));

export interface KilledResultsOptions {
  readonly items: number;
  readonly kills: number;
  readonly redrives: number;
  readonly seed: number;
  /** An engine is killed at a random moment, up to so long after it began to deliver messages. */
  readonly longestSeconds: number;
  /** An empty directory. */
  readonly directory: string;
  readonly onStep?: (step: string) => void;
}

export interface KilledResults {
  readonly kills: number;
  readonly processes: number;
  /** What the ledger counts in the end. */
  readonly succeeded: number;
  readonly dead: number;
  readonly manifest: number;
  /** What the script found in the files. */
  readonly rows: number;
  readonly wrong: readonly string[];
}

/** How often the engine may end with an error. */
const MOST_FAILURES = 5;

/**
 * Runs a workflow with results while all processes of the engine are killed again and again, redrives what failed, and
 * lets a script without any code of Sluice check the files. Every second kill comes after the redrive.
 */
export async function killedResults(options: KilledResultsOptions): Promise<KilledResults> {
  const { items, kills, redrives, seed, directory, longestSeconds, onStep = () => {} } = options;
  const random = new Random(seed);
  const mark = `${process.pid}-${seed}-results`;
  let engines = 0;
  let killed = 0;
  let processes = 0;
  let failures = 0;
  const start = (action: "run" | "redrive") => {
    const child = spawn(process.execPath, ["--no-warnings", ENGINE, String(seed + engines++), action], {
      cwd: directory,
      env: {
        ...process.env,
        [MARK]: mark,
        SLUICE_KILLED_ITEMS: String(items),
        SLUICE_KILLED_REDRIVES: String(redrives),
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: string[] = [];
    const reader = createInterface({ input: child.stdout });
    reader.on("line", (line) => lines.push(line));
    return { child, lines, up: once(reader, "line"), exited: once(child, "exit") };
  };
  const work = async (action: "run" | "redrive", most: number) => {
    for (let left = most; ; left--) {
      const { child, lines, up, exited } = start(action);
      await Promise.race([up, exited]);
      const aborted = new AbortController();
      const moment = random.next() * longestSeconds * 1_000;
      const over = setTimeout(moment, undefined, { signal: aborted.signal }).catch(() => {});
      if (left > 0) await Promise.race([over, exited]);
      else await exited;
      aborted.abort();
      if (child.exitCode === null && child.signalCode === null) {
        processes += await killMarked(mark);
        await exited;
        killed++;
        onStep(`killed ${killed}`);
        continue;
      }
      const output = lines.at(-1) ?? "";
      if (child.exitCode !== 0) {
        // A request timed out, because the machine has other work: a person types the command again.
        if (++failures > MOST_FAILURES) throw new Error(`the engine ended with ${child.exitCode}: ${output}`);
        left++;
        continue;
      }
      return JSON.parse(output) as {
        status: string;
        succeeded: number;
        dead: number;
        pending: number;
        manifest: number;
      };
    }
  };
  const first = await work("run", Math.ceil(kills / 2));
  onStep(`the run ended: ${JSON.stringify(first)}`);
  const end = await work("redrive", kills - killed);
  onStep(`after the redrive: ${JSON.stringify(end)}`);
  const never = Array.from({ length: items }, (_, n) => n).filter((n) => n % Math.floor(items / 5) === 11);
  const results = join(directory, ".sluice", WORKFLOW, "results", RUN);
  if (!existsSync(results)) throw new Error(`${results} does not exist`);
  const words = ["--succeeded", String(items - never.length), "--not-done", never.join(",")];
  const checked = await promisify(execFile)("python3", [CHECK, results, ...words]).catch(
    (failed: { readonly stdout: string; readonly stderr: string }) => failed,
  );
  const { rows = 0, wrong = [checked.stderr] }: { rows?: number; wrong?: string[] } =
    checked.stdout === "" ? {} : JSON.parse(checked.stdout);
  const expected = { succeeded: items - never.length, dead: never.length, pending: 0 };
  const { succeeded, dead, pending } = end;
  const counts = JSON.stringify({ succeeded, dead, pending });
  return {
    kills: killed,
    processes,
    succeeded,
    dead,
    manifest: end.manifest,
    rows,
    wrong: counts === JSON.stringify(expected) ? wrong : [...wrong, `the ledger counts ${counts}`],
  };
}
