import type { DlqOptions } from "../../options/dead-letter-options.ts";
import { stackFlag, type Target } from "../../targets/target.ts";

/**
 * A `dlq` command that acts on a target: `npx sluice dlq show 8c1f02ab --stack sluice-cities`.
 *
 * @param words What follows `dlq`: `show 8c1f02ab`.
 * @param workflow The workflow's name, if the command must name it.
 */
export function dlqCommand(
  words: string,
  target: Pick<Target, "stack">,
  { region, profile }: Pick<DlqOptions, "region" | "profile">,
  workflow: string | undefined,
): string {
  return [
    `npx sluice dlq ${words}${stackFlag(target)}`,
    ...(workflow === undefined ? [] : [`--workflow ${workflow}`]),
    ...(region === undefined ? [] : [`--region ${region}`]),
    ...(profile === undefined ? [] : [`--profile ${profile}`]),
  ].join(" ");
}

/** Where dead letters are, for people: "cities on this machine". */
export const placeOf = ({ workflow, where }: Target): string => `${workflow} on ${where}`;
