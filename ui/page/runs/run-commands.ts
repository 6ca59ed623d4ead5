import type { CommandName, LogRequest } from "../../server/api.ts";
import { quoted } from "../parts/text.ts";

/** The commands that do the same as the buttons of the runs. `flags` selects the place, from `Overview.flags`. */

/** Starts a run: here, it works in the command, and in a stack it works there. */
export function startCommand(
  workflow: string,
  { isStack, items, flags }: { readonly isStack: boolean; readonly items: number | undefined; readonly flags: string },
): string {
  const limit = items === undefined ? "" : ` --items ${items}`;
  return `npx sluice ${isStack ? "start" : "run"} ${quoted(workflow)}${limit}${flags}`;
}

export const runCommand = (command: Exclude<CommandName, "start">, run: string, flags: string): string =>
  `npx sluice ${command} ${quoted(run)}${flags}`;

export function logCommand({ run, item, onlyErrors }: LogRequest, flags: string): string {
  const filters = `${item === undefined ? "" : ` --item ${quoted(item)}`}${onlyErrors ? " --error" : ""}`;
  return `npx sluice logs ${quoted(run)}${filters}${flags}`;
}

/** @param format Absent: the command prints the rows. */
export function resultsCommand(run: string, flags: string, format?: "jsonl" | "csv"): string {
  const output = format === undefined ? "" : ` --format ${format} --output results.${format}`;
  return `npx sluice results ${quoted(run)}${output}${flags}`;
}

/** Bounds the rate of a workflow's fleet. */
export const limitCommand = (workflow: string, ratePerSecond: number, flags: string): string =>
  `npx sluice limit ${quoted(workflow)} --rate ${ratePerSecond}/s${flags}`;
