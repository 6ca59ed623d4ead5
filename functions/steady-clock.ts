/**
 * Returns a clock in milliseconds since 1970. It starts with the time of the machine's clock, and then runs evenly even
 * if the machine's clock is changed. If an invocation used a clock that is set back, it would work for too long and
 * exceed its timeout.
 */
export function steadyClock(): () => number {
  const start = Date.now() - performance.now();
  return () => start + performance.now();
}
