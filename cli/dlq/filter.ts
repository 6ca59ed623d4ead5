import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import { hasText } from "../../shared/dead-letters/search-text.ts";
import type { DeadLetterOptions } from "../options/dead-letter-options.ts";
import { hasBigints } from "./item-draft.ts";

type Filters = Pick<DeadLetterOptions, "reason" | "error" | "run" | "since" | "text" | "where">;

/** Whether any filter is given. */
export const hasFilters = ({ reason, error, run, since, text, where }: Filters): boolean =>
  [reason, error, run, since, text, where].some((filter) => filter !== undefined);

/** Whether a dead letter matches the filters: all kinds of filters, and one value of each kind. */
export function matches(deadLetter: DeadLetter, { reason, error, run, since, text, where }: Filters): boolean {
  if (reason !== undefined && !reason.includes(deadLetter.reason)) return false;
  if (error !== undefined && !error.some((text) => hasError(deadLetter, text))) return false;
  if (run !== undefined && !run.some((id) => deadLetter.run?.startsWith(id) === true)) return false;
  if (text !== undefined && !text.some((each) => hasText(deadLetter, each))) return false;
  if (since !== undefined && Date.parse(deadLetter.diedAt) < since.at) return false;
  return where === undefined || where.holds(withBigintsAsText(deadLetter));
}

function hasError({ error, fingerprint }: DeadLetter, text: string): boolean {
  if (fingerprint.id === text) return true;
  const whole = `${error.name}: ${error.message}`;
  // The list prints an error on one line, and its fingerprint with placeholders. Users copy both forms.
  return [whole, whole.replaceAll(/\s+/g, " "), fingerprint.text].some((shown) =>
    shown.toLowerCase().includes(text.toLowerCase()),
  );
}

/** JMESPath has no bigints, so it gets them as text: `item.id == '12345678901234567'`. */
function withBigintsAsText(deadLetter: DeadLetter): DeadLetter {
  return hasBigints(deadLetter.item) ? { ...deadLetter, item: bigintsToText(deadLetter.item) } : deadLetter;
}

function bigintsToText(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner)));
}
