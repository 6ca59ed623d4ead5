import type { SetLimit } from "../../shared/limits/fleet-limit.ts";
import type { LimitState } from "../../shared/limits/limit-state.ts";
import { hasStopped, heldText, limitText } from "../../shared/observe/held-text.ts";
import { ago } from "./dlq/dead-letter-text.ts";

export const setLimitText = ({ concurrency, perSecond }: SetLimit): string => limitText(concurrency, perSecond);

/** The limits of a workflow for people, as rows of a name and a text. */
export function limitRows(state: LimitState, most?: number, now = Date.now()): string[][] {
  const { set, limit, at } = state;
  const setText = setLimitText(set);
  const inForce = heldText(limit, most) ?? "all slots";
  return [
    ["set", setText === "" ? "nothing" : setText],
    hasStopped(state, now)
      ? ["last in force", `${inForce} (${ago(new Date(at).toISOString(), now)})`]
      : ["in force", inForce],
  ];
}
