/**
 * The time as the machine's clock has it now, and from then on at an even pace, whatever becomes of that clock: by one
 * that is set back, an invocation would go on beyond its end.
 */
export function steadyClock(): () => number {
  const start = Date.now() - performance.now();
  return () => start + performance.now();
}
