import type { DlqOptions } from "../../options/dead-letter-options.ts";
import { stackFlag, type Target } from "../../targets/target.ts";

/**
 * A command as it is typed for the dead letters of a target: `npx sluice dlq show 8c1f02ab --stack sluice-cities`.
 *
 * @param workflow Where it must be named.
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

/** Where a target's dead letters are, for people: "cities on this machine". */
export const placeOf = ({ workflow, where }: Target): string => `${workflow} on ${where}`;
