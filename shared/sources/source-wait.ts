import { askedWaitOf } from "../base/asked-wait.ts";
import { SluiceError, toError } from "../base/errors.ts";

/**
 * The longest that a run waits for its source, from the first wait without a page between. The control queue keeps a
 * message for 10 days, and its message must outlast the wait.
 */
export const LONGEST_SOURCE_WAIT = { days: 8 } as const;

/** A source was told to wait: it threw `Throttled` or `RetryLater`. */
export class SourceWait extends SluiceError {
  override readonly name = "SourceWait";
  /** Until when, in milliseconds since 1970; `undefined` if the service did not say. */
  readonly until: number | undefined;

  constructor(reason: string, until: number | undefined, cause: unknown) {
    super("SOURCE_WAIT", reason, { cause });
    this.until = until;
  }
}

/**
 * The wait that a source asked for by what it threw, or `undefined` if that is a failure.
 *
 * @param now When it was thrown, in milliseconds since 1970.
 */
export function sourceWaitOf(thrown: unknown, now: number): SourceWait | undefined {
  const asked = askedWaitOf(thrown);
  if (asked === undefined) return undefined;
  const { afterMilliseconds } = asked;
  const until = afterMilliseconds === undefined ? undefined : now + afterMilliseconds;
  return new SourceWait(toError(thrown).message, until, thrown);
}
