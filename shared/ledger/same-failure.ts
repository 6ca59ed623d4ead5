import type { LedgerStore, Row } from "../aws/table.ts";
import type { InvalidFinding } from "../base/invalid-finding.ts";
import { runKey } from "./keys.ts";
import type { Counts, RunRecord } from "./run-record.ts";

/** How many characters of a finding's text a run keeps. */
const LONGEST_TEXT = 300;

// The names of attributes in stored rows. They must not change.
const FAULT = "invalidWay";
const EXAMPLE = "invalidExample";
const INSTEAD = "invalidInstead";
const DIFFERS = "invalidDiffers";

/**
 * Records why the invalid items of a run do not match the schema. If all of them have the same fault, the run's summary
 * says so, because the mistake is then in the workflow or in the source, and not in 3,000 items.
 *
 * A finding describes the fault of one item. The run's row keeps the first finding, and whether another finding
 * differs. So the row stays small, and an invocation makes one write for each kind of fault, and not for each item.
 */
export class InvalidFindings {
  readonly #store: LedgerStore;
  readonly #noted = new Map<string, Promise<void>>();

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /**
   * Records a finding. Record the death of the item only after this promise has resolved. Otherwise an invalid item
   * could be counted before its finding is known.
   */
  async note(run: string, { fault, example, instead }: InvalidFinding): Promise<void> {
    const key = `${run} ${fault}`;
    const before = this.#noted.get(key);
    if (before !== undefined) return await before;
    // The map must not grow without limit. A finding that it has forgotten is written again, which changes nothing.
    if (this.#noted.size >= 100) this.#noted.clear();
    const noting = this.#write(run, {
      fault: cut(fault),
      example: example && cut(example),
      instead: instead && cut(instead),
    });
    this.#noted.set(key, noting);
    noting.catch(() => this.#noted.delete(key));
    await noting;
  }

  async #write(run: string, { fault, example, instead }: InvalidFinding): Promise<void> {
    const key = runKey(run);
    const first = await this.#store.update(key, {
      set: { [FAULT]: fault, [EXAMPLE]: example, [INSTEAD]: instead },
      when: [{ equals: ["id", run] }, { absent: FAULT }],
    });
    if (first !== undefined) return;
    const row = await this.#store.get(key);
    if (row === undefined || row[FAULT] === fault || row[DIFFERS] === true) return;
    await this.#store.update(key, { set: { [DIFFERS]: true }, when: [{ equals: ["id", run] }] });
  }
}

/** The finding of all invalid items of a run, from the run's row. `undefined` if the findings differ. */
export function readInvalidFinding(row: Row): InvalidFinding | undefined {
  if (row[FAULT] === undefined || row[DIFFERS] === true) return undefined;
  return {
    fault: String(row[FAULT]),
    ...(row[EXAMPLE] !== undefined && { example: String(row[EXAMPLE]) }),
    ...(row[INSTEAD] !== undefined && { instead: String(row[INSTEAD]) }),
  };
}

/**
 * Describes the fault of all invalid items of a run, if they have the same fault: "all 3,000 items: `email` missing;
 * the header has ` E-Mail `". If the finding has an example, the text contains the example, because it can hold
 * important details such as the allowed values of a field. The function returns a text only for a run that has ended.
 * In an active run, an item could fail in another way between the read of the run and the read of its counts.
 */
export function sameFailureOf(
  { invalidFinding, status, completedAt }: Pick<RunRecord, "invalidFinding" | "status" | "completedAt">,
  { produced, pending, deadByReason }: Pick<Counts, "produced" | "pending" | "deadByReason">,
): string | undefined {
  const invalid = deadByReason["invalid item"] ?? 0;
  const ended = (completedAt !== undefined || status === "failed") && pending === 0;
  if (invalidFinding === undefined || invalid < 2 || !ended) return undefined;
  const { fault, example, instead } = invalidFinding;
  const items = `${invalid.toLocaleString("en-US")} ${invalid === produced ? "" : "invalid "}items`;
  const how = example === undefined ? `: ${fault}` : ` failed in the same way. The first: ${example}`;
  return `all ${items}${how}${instead === undefined ? "" : `; ${instead}`}`;
}

const cut = (text: string): string =>
  (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text).toWellFormed();
