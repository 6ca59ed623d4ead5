import { AsyncLocalStorage } from "node:async_hooks";
import { toError } from "../../base/thrown.ts";

interface Scope {
  /** Fails the attempt to which the error belongs. Returns false where that is over. */
  readonly fail: (thrown: unknown) => boolean;
}

const STRAY_ERRORS = ["uncaughtException", "unhandledRejection"] as const;

const scopes = new AsyncLocalStorage<Scope>();

/** Listens to stray errors again, where a task has removed the listeners; nothing while they are not contained. */
let containAgain = () => {};

/** Runs a task so that errors it throws from a timer, an event or a promise nobody awaits are known to be its own. */
export function runInScope<Result>(scope: Scope, task: () => Result): Result {
  containAgain();
  return scopes.run(scope, task);
}

/**
 * Makes errors that nobody catches fail the attempt they come from, instead of killing the process and with it every
 * other task of the batch. An error of no attempt (or of one that is over) goes to `report`.
 *
 * Takes the place of the listeners by which the Lambda runtime ends the process. A task that removes all listeners of its
 * process removes these too: they are back before the next attempt begins.
 *
 * @returns what ends it.
 */
export function containStrayErrors(report: (error: Error) => void): () => void {
  const contain = (thrown: unknown) => {
    const scope = scopes.getStore();
    // What is thrown here would end the process: the error may be one whose getters throw.
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
