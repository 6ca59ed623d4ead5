import { InvalidArgumentError } from "commander";
import ms from "ms";
import * as z from "zod";

/** A moment, and how it was typed. */
export interface Since {
  readonly text: string;
  /** In milliseconds since the epoch. */
  readonly at: number;
}

// Without a unit `ms` takes a number for milliseconds, which nobody means.
const DURATION = /^\d+(\.\d+)? ?[a-z]+$/i;
const time = z.iso.datetime({ offset: true, local: true });
const date = z.iso.date();

/**
 * The moment that an option means, in milliseconds since the epoch: `2h` (ago), `3 days`, or an ISO 8601 time, which is
 * this machine's unless it names its zone.
 */
export function since(text: string, now: number = Date.now()): number {
  if (DURATION.test(text)) {
    // It takes only the units that it knows.
    const milliseconds = ms(text as ms.StringValue) as number | undefined;
    if (milliseconds !== undefined) return now - milliseconds;
  }
  if (time.safeParse(text).success) return Date.parse(text);
  // Alone, `Date` would take it for midnight in Greenwich.
  if (date.safeParse(text).success) return Date.parse(`${text}T00:00`);
  throw new InvalidArgumentError("It must be a duration like 30m, 2h or 3d, or an ISO time like 2026-11-25T08:00:00Z.");
}
