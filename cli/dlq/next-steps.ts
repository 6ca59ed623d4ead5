import { style } from "../format.ts";

/** What may be typed next, and what it does. */
export type Step = readonly [command: string, why: string];

export function nextSteps(steps: readonly Step[]): string {
  const width = Math.max(...steps.map(([command]) => command.length));
  return steps.map(([command, why]) => `  ${command.padEnd(width)}  ${style("dim", why)}`).join("\n");
}
