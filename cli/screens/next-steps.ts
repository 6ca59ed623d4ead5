import { widthOf } from "./columns.ts";
import { style } from "./format.ts";

/** What may be typed next, and what it does. */
export type Step = readonly [command: string, why: string];

/** The steps, each with what it does beside it, or where that is too wide, below it. */
export function nextSteps(steps: readonly Step[], stream: NodeJS.WriteStream = process.stdout): string {
  const widest = Math.max(...steps.map(([command]) => command.length));
  const beside = steps.map(([command, why]) => `  ${command.padEnd(widest)}  ${why}`);
  if (beside.some((line) => line.length > widthOf(stream))) {
    return steps.map(([command, why]) => `  ${command}\n      ${style("dim", why)}`).join("\n");
  }
  return steps.map(([command, why]) => `  ${command.padEnd(widest)}  ${style("dim", why)}`).join("\n");
}
