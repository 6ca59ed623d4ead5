/**
 * Returns a clock in milliseconds since 1970. It starts with the time of the machine's clock and then runs evenly, even
 * if the machine's clock is changed. With a clock that is set back, an invocation would run beyond its end.
 */
export function steadyClock(): () => number {
  const start = Date.now() - performance.now();
  return () => start + performance.now();
}
