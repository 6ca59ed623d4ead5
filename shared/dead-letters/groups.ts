import { jsonText } from "../base/exact-json.ts";
import type { DeadLetter } from "./read-dead-letter.ts";

/** The properties by which dead letters can be grouped. */
export const GROUPINGS = ["error", "reason", "run", "age"] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** Dead letters that have something in common. */
export interface DeadLetterGroup {
  /** For `error` the fingerprint's id, and otherwise the same as `name`. */
  readonly key: string;
  /** For `error` the fingerprint's text, for `reason` the reason, for `run` the run's id, for `age` a span of time. */
  readonly name: string;
  readonly count: number;
  /** How many dead letters have each reason. */
  readonly reasons: Readonly<Record<string, number>>;
  /** When the first and the last of these items died, ISO 8601. */
  readonly firstDiedAt: string;
  readonly lastDiedAt: string;
  /** The dead letter whose item died last. */
  readonly example: {
    readonly id: string;
    readonly run: string | null;
    readonly error: { readonly name: string; readonly message: string };
    /** The first 500 characters of the item as JSON, or of the body of a foreign dead letter. */
    readonly item: string;
  };
}

/**
 * The highest number of groups. The dead letters of all further groups form one group, so that memory stays bounded.
 */
const MOST_GROUPS = 10_000;
const LONGEST_EXAMPLE = 500;
const OTHERS = "(others)";
const NO_RUN = "(of no run)";

const MINUTE = 60_000;
const AGES = [
  ["under 1 minute", MINUTE],
  ["under 10 minutes", 10 * MINUTE],
  ["under 1 hour", 60 * MINUTE],
  ["under 6 hours", 360 * MINUTE],
  ["under 1 day", 1_440 * MINUTE],
  ["under 3 days", 3 * 1_440 * MINUTE],
  ["under 7 days", 7 * 1_440 * MINUTE],
  ["7 days and more", Number.POSITIVE_INFINITY],
] as const;

interface Growing {
  readonly key: string;
  readonly name: string;
  count: number;
  readonly reasons: Record<string, number>;
  firstDiedAt: string;
  lastDiedAt: string;
  example: DeadLetterGroup["example"];
}

/** Groups dead letters one by one, in memory that does not grow with their number. */
export class DeadLetterGroups {
  readonly #by: Grouping;
  readonly #now: number;
  readonly #groups = new Map<string, Growing>();

  /** @param now Milliseconds since the epoch, for the ages. Default: now. */
  constructor(by: Grouping, now: number = Date.now()) {
    this.#by = by;
    this.#now = now;
  }

  add(deadLetter: DeadLetter): void {
    const { diedAt, reason } = deadLetter;
    const group = this.#groupOf(deadLetter);
    group.count++;
    group.reasons[reason] = (group.reasons[reason] ?? 0) + 1;
    if (group.firstDiedAt === "" || diedAt < group.firstDiedAt) group.firstDiedAt = diedAt;
    if (diedAt >= group.lastDiedAt) {
      group.lastDiedAt = diedAt;
      group.example = exampleOf(deadLetter);
    }
  }

  /** The groups: the largest first, or for `age` the youngest first. */
  get sorted(): readonly DeadLetterGroup[] {
    const groups = [...this.#groups.values()];
    if (this.#by === "age") {
      const order = AGES.map(([name]) => name as string);
      return groups.sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key));
    }
    return groups.sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1));
  }

  #groupOf(deadLetter: DeadLetter): Growing {
    const named = this.#nameOf(deadLetter);
    const full = this.#groups.size >= MOST_GROUPS && !this.#groups.has(named.key);
    const { key, name } = full ? same(OTHERS) : named;
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group = { key, name, count: 0, reasons: {}, firstDiedAt: "", lastDiedAt: "", example: exampleOf(deadLetter) };
    this.#groups.set(key, group);
    return group;
  }

  #nameOf(deadLetter: DeadLetter): { readonly key: string; readonly name: string } {
    switch (this.#by) {
      case "error":
        return { key: deadLetter.fingerprint.id, name: deadLetter.fingerprint.text };
      case "reason":
        return same(deadLetter.reason);
      case "run":
        return same(deadLetter.run ?? NO_RUN);
      case "age":
        return same(ageOf(this.#now - Date.parse(deadLetter.diedAt)));
    }
  }
}

const same = (key: string) => ({ key, name: key });

const ageOf = (milliseconds: number): string =>
  AGES.find(([, below]) => milliseconds < below)?.[0] ?? AGES[AGES.length - 1]?.[0] ?? "";

function exampleOf({ id, run, error, item }: DeadLetter): DeadLetterGroup["example"] {
  const { name, message } = error;
  const text = typeof item === "string" ? item : (jsonText(item) ?? "");
  return { id, run, error: { name, message: beginning(message) }, item: beginning(text) };
}

// This copies the text. A slice would keep the whole body in memory from which the text was parsed.
const beginning = (text: string): string =>
  Buffer.from(text.length > LONGEST_EXAMPLE ? `${text.slice(0, LONGEST_EXAMPLE)}…` : text).toString();
