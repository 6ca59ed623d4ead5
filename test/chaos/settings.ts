import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Plan } from "./plan.ts";

/** Names the directory of a run, for all of its processes. */
export const DIRECTORY = "CHAOS_DIRECTORY";
/** Names the clock that a process goes by. */
export const CLOCK = "CHAOS_CLOCK";

/** @throws {Error} The process belongs to no run. */
export function directoryOfRun(): string {
  const directory = process.env[DIRECTORY];
  if (directory === undefined) throw new Error(`${DIRECTORY} is not set: start it by chaos.ts`);
  return directory;
}

const planFile = (directory: string): string => join(directory, "plan.json");

export const writePlan = (directory: string, plan: Plan): void =>
  writeFileSync(planFile(directory), JSON.stringify(plan));

export const readPlan = (directory: string): Plan => JSON.parse(readFileSync(planFile(directory), "utf8")) as Plan;

/** Holds by how many milliseconds the clock is wrong. */
export const clockFile = (directory: string, clock: Clock): string => join(directory, `clock-${clock}`);
