import { SluiceError, toError } from "../base/errors.ts";
import { requestedWaitOf } from "../base/requested-wait.ts";

/**
 * The longest time that a run waits for its source, counted from the first wait since the last page. The control queue
 * keeps a message for 10 days, and the wait of a run must end before SQS deletes the run's message.
 */
export const LONGEST_SOURCE_WAIT = { days: 8 } as const;

/** The service asked the source to wait: the source threw `Throttled` or `RetryLater`. */
export class SourceWait extends SluiceError {
  override readonly name = "SourceWait";
  /** The end of the wait, in milliseconds since 1970. `undefined` if the service gave no time. */
  readonly until: number | undefined;

  constructor(reason: string, until: number | undefined, cause: unknown) {
    super("SOURCE_WAIT", reason, { cause });
    this.until = until;
  }
}

/**
 * Turns a value that a source threw into the wait that it requests. Returns `undefined` if the value is a failure.
 *
 * @param now When the source threw the value, in milliseconds since 1970.
 */
export function sourceWaitOf(thrown: unknown, now: number): SourceWait | undefined {
  const asked = requestedWaitOf(thrown);
  if (asked === undefined) return undefined;
  const { afterMilliseconds } = asked;
  const until = afterMilliseconds === undefined ? undefined : now + afterMilliseconds;
  return new SourceWait(toError(thrown).message, until, thrown);
}
