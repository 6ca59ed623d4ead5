import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Plan } from "./plan.ts";

/** The variable with a run's directory, for all its processes. */
export const DIRECTORY = "CHAOS_DIRECTORY";
/** The variable with the name of the clock that a process uses. */
export const CLOCK = "CHAOS_CLOCK";

/** @throws {Error} The process does not belong to a run. */
export function directoryOfRun(): string {
  const directory = process.env[DIRECTORY];
  if (directory === undefined) throw new Error(`${DIRECTORY} is not set: start it by chaos.ts`);
  return directory;
}

const planFile = (directory: string): string => join(directory, "plan.json");

export const writePlan = (directory: string, plan: Plan): void =>
  writeFileSync(planFile(directory), JSON.stringify(plan));

export const readPlan = (directory: string): Plan => JSON.parse(readFileSync(planFile(directory), "utf8")) as Plan;

/** The file with the milliseconds by which the clock is wrong. */
export const clockFile = (directory: string, clock: Clock): string => join(directory, `clock-${clock}`);
