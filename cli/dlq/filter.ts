import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { DeadLetterOptions } from "../options/dead-letter-options.ts";
import { hasBigints } from "./item-draft.ts";

/** JMESPath knows no bigints: `item.id == '12345678901234567'` compares one with its text. */
function withBigintsAsText(deadLetter: DeadLetter): DeadLetter {
  return hasBigints(deadLetter.item) ? { ...deadLetter, item: bigintsToText(deadLetter.item) } : deadLetter;
}

function bigintsToText(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner)));
}

type Filters = Pick<DeadLetterOptions, "reason" | "error" | "run" | "since" | "where">;

/** Whether any dead letter is left out. */
export const isFiltered = ({ reason, error, run, since, where }: Filters): boolean =>
  [reason, error, run, since, where].some((filter) => filter !== undefined);

/** Whether a dead letter is meant: it fits every kind of filter, and of each kind one. */
export function isMeant(deadLetter: DeadLetter, { reason, error, run, since, where }: Filters): boolean {
  if (reason !== undefined && !reason.includes(deadLetter.reason)) return false;
  if (error !== undefined && !error.some((text) => hasError(deadLetter, text))) return false;
  if (run !== undefined && !run.some((id) => deadLetter.run?.startsWith(id) === true)) return false;
  if (since !== undefined && Date.parse(deadLetter.diedAt) < since.at) return false;
  return where === undefined || where.holds(withBigintsAsText(deadLetter));
}

function hasError({ error, fingerprint }: DeadLetter, text: string): boolean {
  if (fingerprint.id === text) return true;
  const whole = `${error.name}: ${error.message}`;
  // What the list shows has its blanks and its placeholders in place of the message's.
  return [whole, whole.replaceAll(/\s+/g, " "), fingerprint.text].some((shown) =>
    shown.toLowerCase().includes(text.toLowerCase()),
  );
}
