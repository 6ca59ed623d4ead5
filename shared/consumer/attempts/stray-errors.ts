import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import { ADVERTISED_CHANNEL } from "../../base/advertised-rate.ts";
import { toError } from "../../base/thrown.ts";

interface Scope {
  /** Fails the attempt that the error belongs to. Returns false if the attempt has ended before. */
  readonly fail: (thrown: unknown) => boolean;
  /** Notes the starts per second that a response leaves to the fleet. */
  readonly advertise?: (perSecond: number) => void;
}

/** Stray errors: errors that no code of a task catches. Node reports them as these events of the process. */
const STRAY_ERRORS = ["uncaughtException", "unhandledRejection"] as const;

const scopes = new AsyncLocalStorage<Scope>();

// `checkResponse` publishes in the scope of the task that calls it.
subscribe(ADVERTISED_CHANNEL, (perSecond) => {
  if (typeof perSecond === "number" && perSecond > 0) scopes.getStore()?.advertise?.(perSecond);
});

/** Adds the listeners for stray errors again if a task has removed them. Does nothing while stray errors are not contained. */
let containAgain = () => {};

/** Runs a task in a scope. Errors that the task throws from a timer, an event or an unhandled promise belong to the scope. */
export function runInScope<Result>(scope: Scope, task: () => Result): Result {
  containAgain();
  return scopes.run(scope, task);
}

/**
 * Makes an uncaught error fail the attempt that it comes from. Otherwise it would end the process, and all tasks of the batch
 * with it. An error that belongs to no attempt, or to an attempt that has ended, goes to `report`.
 *
 * This replaces the listeners with which the Lambda runtime ends the process. A task that removes all listeners of its
 * process also removes these: they are added again before the next attempt begins.
 *
 * @returns A function that removes the listeners.
 */
export function containStrayErrors(report: (error: Error) => void): () => void {
  const contain = (thrown: unknown) => {
    const scope = scopes.getStore();
    // An error that is thrown here would end the process. `toError` copes with errors whose getters throw.
    if (scope?.fail(thrown) !== true) report(toError(thrown));
  };
  for (const event of STRAY_ERRORS) process.removeAllListeners(event);
  containAgain = () => {
    for (const event of STRAY_ERRORS) if (process.listenerCount(event, contain) === 0) process.on(event, contain);
  };
  containAgain();
  return () => {
    containAgain = () => {};
    for (const event of STRAY_ERRORS) process.off(event, contain);
  };
}
