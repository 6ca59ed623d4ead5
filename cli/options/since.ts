import { InvalidArgumentError } from "commander";
import ms from "ms";
import * as z from "zod";

/** A point in time, and the text that the user typed for it. */
export interface Since {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

// `ms` reads a number without a unit as milliseconds. The user cannot mean that, so a unit is required.
const DURATION = /^\d+(\.\d+)? ?[a-z]+$/i;
const time = z.iso.datetime({ offset: true, local: true });
const date = z.iso.date();

/**
 * Parses a point in time into milliseconds since 1970. `2h` and `3 days` mean that long ago. An ISO 8601 time without a
 * time zone is in this machine's zone.
 *
 * @throws {InvalidArgumentError} The text is neither.
 */
export function since(text: string, now: number = Date.now()): number {
  if (DURATION.test(text)) {
    // `ms` returns `undefined` for a unit that it does not know.
    const milliseconds = ms(text as ms.StringValue) as number | undefined;
    if (milliseconds !== undefined) return now - milliseconds;
  }
  if (time.safeParse(text).success) return Date.parse(text);
  // `Date` reads a date without a time as midnight UTC. Here it is midnight in this machine's zone.
  if (date.safeParse(text).success) return Date.parse(`${text}T00:00`);
  throw new InvalidArgumentError("It must be a duration like 30m, 2h or 3d, or an ISO time like 2026-11-25T08:00:00Z.");
}
