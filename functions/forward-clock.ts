/**
 * Returns a clock in milliseconds since 1970 that never goes back. If the machine's clock is set back, this clock stands still
 * at that moment and then continues, so it stays ahead of the machine's clock. It also continues while Lambda has frozen the
 * environment, which `performance.now` need not do.
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 *
 * @param clock The machine's clock. Default: `Date.now`.
 */
export function forwardClock(clock: () => number = Date.now): () => number {
  let latest = clock();
  let ahead = 0;
  return () => {
    const machine = clock();
    if (machine + ahead < latest) ahead = latest - machine;
    latest = machine + ahead;
    return latest;
  };
}
