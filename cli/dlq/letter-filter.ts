import type { Letter } from "../../shared/dead-letters/letter.ts";
import { hasBigints } from "./item-draft.ts";
import type { LetterOptions } from "./letter-options.ts";

/** JMESPath knows no bigints: `item.id == '12345678901234567'` compares one with its text. */
function withBigintsAsText(letter: Letter): Letter {
  return hasBigints(letter.item) ? { ...letter, item: bigintsToText(letter.item) } : letter;
}

function bigintsToText(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? String(inner) : inner)));
}

type Filters = Pick<LetterOptions, "reason" | "error" | "run" | "since" | "where">;

/** Whether any letter is left out. */
export const isFiltered = ({ reason, error, run, since, where }: Filters): boolean =>
  [reason, error, run, since, where].some((filter) => filter !== undefined);

/** Whether a letter is meant: it fits every kind of filter, and of each kind one. */
export function isMeant(letter: Letter, { reason, error, run, since, where }: Filters): boolean {
  if (reason !== undefined && !reason.includes(letter.reason)) return false;
  if (error !== undefined && !error.some((text) => hasError(letter, text))) return false;
  if (run !== undefined && !run.some((id) => letter.run?.startsWith(id) === true)) return false;
  if (since !== undefined && Date.parse(letter.diedAt) < since.at) return false;
  return where === undefined || where.holds(withBigintsAsText(letter));
}

function hasError({ error, fingerprint }: Letter, text: string): boolean {
  if (fingerprint.id === text) return true;
  const whole = `${error.name}: ${error.message}`;
  // What the list shows has its blanks and its placeholders in place of the message's.
  return [whole, whole.replaceAll(/\s+/g, " "), fingerprint.text].some((shown) =>
    shown.toLowerCase().includes(text.toLowerCase()),
  );
}
