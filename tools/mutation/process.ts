import { spawn } from "node:child_process";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry, Plan } from "./plan.ts";

export const DIRECTORY = join(".sluice", "mutation");

const LOOK_MILLISECONDS = 2_000;

/**
 * A process whose journal stands still hangs in a mutant if it sleeps all the time, or if it uses the processor without a
 * result. On a busy machine, a process that does not hang is ready to run, and does not sleep.
 */
const MOST_SLEEPING_LOOKS = 8;
const MOST_CPU_SECONDS = 15;

/** Whether the user has interrupted the run. What the process has noted until then counts. */
export let isInterrupted = false;

/** Runs the tests of a plan in a process of its own, and returns what the process has noted. */
export async function inOwnProcess(name: string, step: string, plan: Omit<Plan, "journal">): Promise<readonly Entry[]> {
  const file = join(DIRECTORY, `${name}.plan.json`);
  const journal = join(DIRECTORY, `${name}.jsonl`);
  writeFileSync(file, JSON.stringify({ ...plan, journal }));
  writeFileSync(journal, "");
  // The next processes find the transformed modules there.
  const cache = join(DIRECTORY, `${name}.cache`);
  if (step === "coverage") rmSync(cache, { recursive: true, force: true });
  const config = join(import.meta.dirname, "vitest.config.ts");
  const child = spawn("node_modules/.bin/vitest", ["run", "--config", config], {
    env: { ...process.env, MUTATION_PLAN: file, MUTATION_CACHE: cache },
    stdio: ["ignore", "ignore", "inherit"],
    // Vitest starts processes of its own. They are in its process group.
    detached: true,
  });
  const kill = () => {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  };
  const interrupt = () => {
    isInterrupted = true;
    kill();
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let looks = 0;
  let still = { size: -1, looks: 0, seconds: 0 };
  const watch = setInterval(() => {
    const { length: size } = readFileSync(journal);
    const { seconds, sleeps } = processesOf(child.pid ?? 0);
    if (size !== still.size) still = { size, looks: 0, seconds };
    else if (!sleeps) still.looks = 0;
    else if (++still.looks >= MOST_SLEEPING_LOOKS) kill();
    if (seconds - still.seconds > MOST_CPU_SECONDS) kill();
    if (++looks % 30 === 0)
      console.error(`${name}, ${step}: ${size} bytes of notes, ${Math.round(seconds)} s of CPU time`);
  }, LOOK_MILLISECONDS);
  await ended;
  clearInterval(watch);
  process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  return readFileSync(journal, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/**
 * The CPU time of the processes of a group, and whether all of them sleep, on Linux. Vitest's worker is in the group of
 * vitest. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
function processesOf(group: number): { readonly seconds: number; readonly sleeps: boolean } {
  let ticks = 0;
  let sleeps = true;
  for (const file of globSync("/proc/[0-9]*/stat")) {
    try {
      const fields = readFileSync(file, "latin1")
        .replace(/^.*\) /s, "")
        .split(" ");
      if (Number(fields[2]) !== group) continue;
      ticks += Number(fields[11]) + Number(fields[12]);
      if (fields[0] !== "S") sleeps = false;
    } catch {
      // The process has ended.
    }
  }
  return { seconds: ticks / 100, sleeps };
}
