import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry, Plan } from "./plan.ts";

export const DIRECTORY = join(".sluice", "mutation");

/** A process whose journal stands still for so long hangs in a mutant. */
const STANDSTILL_MILLISECONDS = 60_000;

/** Runs the tests of a plan in a process of its own, and returns what the process has noted. */
export async function inOwnProcess(
  name: string,
  round: number,
  plan: Omit<Plan, "journal">,
): Promise<readonly Entry[]> {
  const file = join(DIRECTORY, `${name}.plan.json`);
  const journal = join(DIRECTORY, `${name}.jsonl`);
  writeFileSync(file, JSON.stringify({ ...plan, journal }));
  writeFileSync(journal, "");
  const config = join(import.meta.dirname, "vitest.config.ts");
  const child = spawn("node_modules/.bin/vitest", ["run", "--config", config], {
    env: { ...process.env, MUTATION_PLAN: file },
    stdio: ["ignore", "ignore", "inherit"],
    // Vitest starts processes of its own. They are in its process group.
    detached: true,
  });
  const kill = () => {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  };
  const interrupt = () => {
    kill();
    process.exit(130);
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let size = -1;
  const watch = setInterval(() => {
    const now = readFileSync(journal).length;
    if (now === size) kill();
    size = now;
    console.error(`${name}, process ${round}: ${now} bytes of notes`);
  }, STANDSTILL_MILLISECONDS);
  await ended;
  clearInterval(watch);
  process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  return readFileSync(journal, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
