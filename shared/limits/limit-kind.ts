import type { EpochTotals } from "./controller.ts";
import type { ControllerState, Loads } from "./controller-state.ts";

const FADE = 0.97;
const FEWEST_THROTTLED = 6;
const FEWEST_ATTEMPTS = 20;

/** How much fuller environments were, in standard deviations, when attempts started that were throttled. */
const LEAST_DIFFERENCE = 0.5;

/** The same in standard errors: chance alone does not reach this. */
const LEAST_EVIDENCE = 3;

/** The least standard deviation of the loads, as a part of their mean. Below it, about as many attempts are always in flight. */
const LEAST_DEVIATION = 0.1;

/** Throttles at a proven number of slots, after which the number of slots is not what the service limits. */
const MOST_SURPRISE = 2;

/** Adds an epoch's loads. */
export function addLoads(state: ControllerState, { counted }: EpochTotals): Loads {
  // While a probe is under way, more is in flight and more is refused, whatever the service limits.
  if (state.phase !== "hold") return state.loads;
  const { attempts, sum, squares, throttled, throttledSum } = state.loads;
  return {
    attempts: attempts * FADE + counted.succeeded + counted.failed + counted.throttled,
    sum: sum * FADE + counted.load,
    squares: squares * FADE + counted.loadSquared,
    throttled: throttled * FADE + counted.throttled,
    throttledSum: throttledSum * FADE + counted.throttledLoad,
  };
}

/**
 * Whether the service limits something else than the controller believes.
 *
 * A service that limits slots refuses an attempt only if many others are in flight. If a rate is in force, the attempts in flight
 * vary, and throttled attempts started when there were more than usual. A service that limits a rate refuses at any
 * time: then throttles appear at a number of slots that was safe before.
 */
export function isOtherKind({ kind, loads, surprise, latency, doubt }: ControllerState): boolean {
  if (latency === 0) return false;
  if (kind === "slots") return surprise >= MOST_SURPRISE * doubt;
  const { attempts, sum, squares, throttled, throttledSum } = loads;
  if (throttled < FEWEST_THROTTLED || attempts < FEWEST_ATTEMPTS) return false;
  const mean = sum / attempts;
  const deviation = Math.sqrt(Math.max(1e-9, squares / attempts - mean * mean));
  // Then a limit of a rate and one of slots are the same.
  if (deviation < LEAST_DEVIATION * mean) return false;
  const difference = (throttledSum / throttled - mean) / deviation;
  return difference >= LEAST_DIFFERENCE && difference * Math.sqrt(throttled) >= LEAST_EVIDENCE * doubt;
}
