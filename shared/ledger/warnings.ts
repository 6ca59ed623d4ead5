import { createHash } from "node:crypto";
import type { Row } from "../aws/table.ts";
import type { Json } from "../base/json.ts";

/** How many distinct warnings a run keeps. Each checkpoint writes the run's row, so the row must stay small. */
export const MOST_WARNINGS = 10;

/** How many characters (UTF-16 code units) of a warning a run keeps. */
export const LONGEST_WARNING = 300;

const ATTRIBUTE = "warning ";

/** A warning as a run keeps it: cut to `LONGEST_WARNING` characters. */
export function toWarning(message: string): string {
  const text = message.toWellFormed();
  return text.length > LONGEST_WARNING ? `${text.slice(0, LONGEST_WARNING - 1).toWellFormed()}…` : text;
}

/**
 * The attributes that add warnings to a run's row: one attribute per warning, named by the warning's digest. Writing the
 * same warning twice, or from two producers at once, keeps it once.
 *
 * @param known The warnings that the row holds already. They are not written again.
 */
export function warningAttributes(known: readonly string[], warnings: readonly string[]): Record<string, Json> {
  const attributes: Record<string, Json> = {};
  let order = known.length;
  for (const text of warnings.map(toWarning)) {
    if (known.includes(text) || order >= MOST_WARNINGS) continue;
    const digest = createHash("sha256").update(text).digest("base64url").slice(0, 12);
    if (`${ATTRIBUTE}${digest}` in attributes) continue;
    attributes[`${ATTRIBUTE}${digest}`] = { order, text };
    order++;
  }
  return attributes;
}

/** The warnings in a run's row, oldest first. */
export function readWarnings(row: Row): readonly string[] {
  return Object.keys(row)
    .filter((attribute) => attribute.startsWith(ATTRIBUTE))
    .map((attribute) => row[attribute] as { order: number; text: string })
    .sort((a, b) => a.order - b.order)
    .slice(0, MOST_WARNINGS)
    .map(({ text }) => text);
}
