import type { Target } from "../target.ts";
import type { DlqOptions } from "./letter-options.ts";

/**
 * A command as it is typed for the same letters as this one: `npx sluice dlq show 8c1f02ab --workflow cities`.
 */
export function dlqCommand(words: string, { stack, region, profile }: DlqOptions, workflow?: string): string {
  return [
    `npx sluice dlq ${words}`,
    ...(workflow === undefined ? [] : [`--workflow ${workflow}`]),
    ...(stack === undefined ? [] : [stack === true ? "--stack" : `--stack ${stack}`]),
    ...(region === undefined ? [] : [`--region ${region}`]),
    ...(profile === undefined ? [] : [`--profile ${profile}`]),
  ].join(" ");
}

/** Where a target's letters are, for people: "cities on this machine". */
export const placeOf = ({ workflow, where }: Target): string => `${workflow} on ${where}`;
