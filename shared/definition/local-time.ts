/**
 * Returns a function that tells at which instant a time zone shows a local time.
 *
 * @param timeZone An IANA time zone.
 * @returns A function from a local time, written as an instant in UTC, to the instant in milliseconds since 1970. If the
 *   local time comes twice because clocks are set back, it returns the first instant. If it never comes because clocks
 *   are set forward, it returns `undefined`.
 * @example instantsIn("Europe/Berlin")(Date.UTC(2026, 2, 29, 2, 30)) // undefined
 */
export function instantsIn(timeZone: string): (localTime: number) => number | undefined {
  if (timeZone === "UTC") return (localTime) => localTime;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const localTimeOf = (instant: number): number => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  };
  return (localTime) => {
    // No zone changes its offset twice in two days.
    const offsets = [-DAY, DAY].map((shift) => localTimeOf(localTime + shift) - (localTime + shift));
    const candidates = offsets.map((offset) => localTime - offset).sort((a, b) => a - b);
    return candidates.find((instant) => localTimeOf(instant) === localTime);
  };
}

const DAY = 86_400_000;
