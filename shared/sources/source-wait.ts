import { SluiceError, toError } from "../base/errors.ts";
import { requestedWaitOf } from "../base/requested-wait.ts";

/**
 * The longest time that a run waits for its source. It counts from the first wait since the last page. The control
 * queue keeps a message for 10 days, and the message of a waiting run must outlast the wait.
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
 * Turns a thrown value into the wait that it asks for. Returns `undefined` if the thrown value is a failure.
 *
 * @param now When it was thrown, in milliseconds since 1970.
 */
export function sourceWaitOf(thrown: unknown, now: number): SourceWait | undefined {
  const asked = requestedWaitOf(thrown);
  if (asked === undefined) return undefined;
  const { afterMilliseconds } = asked;
  const until = afterMilliseconds === undefined ? undefined : now + afterMilliseconds;
  return new SourceWait(toError(thrown).message, until, thrown);
}
