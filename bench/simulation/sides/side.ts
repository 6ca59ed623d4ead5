import type { Ended, Start, StartedAttempt } from "../../../shared/limits/environment-limit.ts";
import type { Events } from "../events.ts";
import type { Random } from "../random.ts";

/** What limits the starts of one environment. */
export interface Side {
  /** An invocation begins. `onChange` is called when the answer of `mayStart` may have changed. */
  begin(onChange: () => void): void;
  mayStart(): Start;
  started(): StartedAttempt;
  ended(attempt: StartedAttempt, ended: Ended): void;
  /** How many messages to have in hand that wait for a start, beside those in flight. */
  stock(): number;
  /** The invocation ends soon. */
  announceEnd?(): void;
  /** The invocation takes no more messages: it needs the slots only that it uses. */
  drain(): void;
  /** How long to hide messages that have no share. */
  hideMilliseconds(backlog: number): number;
  /** The invocation has ended. */
  end(): void;
  /** The process is gone. */
  die(): void;
}

export interface SideContext {
  readonly events: Events;
  readonly random: Random;
  readonly slots: number;
  readonly concurrency: number;
  /** The environment's clock: it may differ from the others'. */
  readonly clock: () => number;
  /** Calls back when the environment runs: later, if it is frozen then. */
  readonly at: (time: number, run: () => void) => void;
  /** The slots that the environment can use now. */
  readonly wanted: () => number;
  readonly backlog: () => number;
}

/** Makes the sides of one fleet: those may share a limit row. */
export type FleetSide = (context: SideContext) => Side;
