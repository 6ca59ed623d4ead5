/**
 * Awaits code of the user. Rejects when the signal fires, even if that code ignores the signal.
 *
 * @param error Returns the error with which the promise rejects when the signal fires.
 */
export async function unlessAborted<Result>(
  awaited: Promise<Result> | Result,
  signal: AbortSignal,
  error: () => Error,
): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(error());
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([awaited, aborted]);
  } finally {
    // The signal lives as long as the invocation. With the listener, it would keep what the user's code returned.
    signal.removeEventListener("abort", onAbort);
  }
}
