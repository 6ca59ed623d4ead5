import { AsyncLocalStorage } from "node:async_hooks";
import { toError } from "../base/thrown.ts";

interface Scope {
  /** Fails the attempt to which the error belongs. Returns false where that is over. */
  readonly fail: (thrown: unknown) => boolean;
}

const scopes = new AsyncLocalStorage<Scope>();

/** Runs a task so that errors it throws from a timer, an event or a promise nobody awaits are known to be its own. */
export function runInScope<Result>(scope: Scope, task: () => Result): Result {
  return scopes.run(scope, task);
}

/**
 * Makes errors that nobody catches fail the attempt they come from, instead of killing the process and with it every
 * other task of the batch. An error of no attempt (or of one that is over) goes to `report`.
 *
 * Takes the place of the listeners by which the Lambda runtime ends the process.
 */
export function containStrayErrors(report: (error: Error) => void): void {
  const contain = (thrown: unknown) => {
    const scope = scopes.getStore();
    // What is thrown here would end the process: the error may be one whose getters throw.
    if (scope?.fail(thrown) !== true) report(toError(thrown));
  };
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.removeAllListeners(event);
    process.on(event, contain);
  }
}
