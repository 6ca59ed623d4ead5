import { style } from "./format.ts";
import { widthOf } from "./terminal-width.ts";

/** A command that the user can type next, and what it does. */
export type Step = readonly [command: string, what: string];

/** The steps, one per line. If a line is too wide, what a command does stands below the command. */
export function nextSteps(steps: readonly Step[], stream: NodeJS.WriteStream = process.stdout): string {
  const widest = Math.max(...steps.map(([command]) => command.length));
  const beside = steps.map(([command, what]) => `  ${command.padEnd(widest)}  ${what}`);
  if (beside.some((line) => line.length > widthOf(stream))) {
    return steps.map(([command, what]) => `  ${command}\n      ${style("dim", what)}`).join("\n");
  }
  return steps.map(([command, what]) => `  ${command.padEnd(widest)}  ${style("dim", what)}`).join("\n");
}
