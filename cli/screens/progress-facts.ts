import type { LiveProgress } from "../../shared/observe/live-progress.ts";
import { count, seconds } from "./format.ts";

export type Fact =
  | "produced"
  | "in flight"
  | "succeeded"
  | "retried"
  | "throttled"
  | "dead"
  | "rate"
  | "held"
  | "left"
  | "waiting"
  | "source";

/** The facts about a run's progress, in the order in which they are shown. */
export function progressFacts(progress: LiveProgress): Map<Fact, string> {
  const { produced, total, inFlight, succeeded, retried, throttled, dead, rate, secondsLeft, waiting, held } = progress;
  const all: [Fact, string | undefined][] = [
    ["produced", total !== undefined && produced >= total ? undefined : `${count(produced)} produced`],
    ["in flight", `${count(inFlight)} in flight`],
    ["succeeded", `${count(succeeded)} succeeded`],
    ["retried", `${count(retried)} retried`],
    ["throttled", throttled > 0 ? `${count(throttled)} throttled` : undefined],
    ["dead", `${count(dead)} dead`],
    // The rate of a run that waits means nothing.
    ["rate", waiting === undefined ? `${count(rate)}/s` : undefined],
    ["held", held],
    ["left", waiting === undefined ? timeLeft(secondsLeft) : undefined],
    ["waiting", waiting && `${count(waiting.items)} waiting, the next in ${seconds(waiting.nextInSeconds)}`],
    ["source", sourceFact(progress)],
  ];
  return new Map(all.filter((fact): fact is [Fact, string] => fact[1] !== undefined));
}

function sourceFact({ sourceWaitSeconds, readingSeconds }: LiveProgress): string | undefined {
  if (sourceWaitSeconds !== undefined) return `the source waits for ${seconds(sourceWaitSeconds)}`;
  return readingSeconds === undefined ? undefined : `reading a page for ${seconds(readingSeconds)}`;
}

/**
 * The shortest time left that is shown. The last items of a run may wait for another attempt, and the rate does not tell
 * for how long.
 */
const SHORTEST_LEFT_SECONDS = 0.1;

const timeLeft = (left: number | undefined): string | undefined =>
  left === undefined || left < SHORTEST_LEFT_SECONDS ? undefined : `${seconds(left)} left`;
