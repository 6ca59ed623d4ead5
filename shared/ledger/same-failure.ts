import type { LedgerStore, Row } from "../aws/table.ts";
import type { InvalidFinding } from "../base/invalid-finding.ts";
import { runKey } from "./rows.ts";
import type { Counts, RunRecord } from "./run-record.ts";

/** How many characters of a finding's text a run keeps. */
const LONGEST_TEXT = 300;

const WAY = "invalidWay";
const EXAMPLE = "invalidExample";
const INSTEAD = "invalidInstead";
const DIFFERS = "invalidDiffers";

/**
 * The way in which all invalid items of a run failed, if it is one: a schema that no row fits is a mistake of the workflow
 * or of the source, and not of 3,000 items. The run's row keeps the first finding, and whether there was another. So it
 * stays small, and an invocation writes once for each way that it meets, whatever the number of items.
 */
export class InvalidFindings {
  readonly #store: LedgerStore;
  readonly #noted = new Map<string, Promise<void>>();

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /**
   * Notes a finding. Resolves once it is kept; only then may the item's death be recorded, since each invalid item that is
   * counted must have been noted.
   */
  async note(run: string, { way, example, instead }: InvalidFinding): Promise<void> {
    const key = `${run} ${way}`;
    const before = this.#noted.get(key);
    if (before !== undefined) return await before;
    // An item in a way of its own each: what they are does not matter, once they differ.
    if (this.#noted.size >= 100) this.#noted.clear();
    const noting = this.#write(run, {
      way: cut(way),
      example: example && cut(example),
      instead: instead && cut(instead),
    });
    this.#noted.set(key, noting);
    noting.catch(() => this.#noted.delete(key));
    await noting;
  }

  async #write(run: string, { way, example, instead }: InvalidFinding): Promise<void> {
    const key = runKey(run);
    const first = await this.#store.update(key, {
      set: { [WAY]: way, [EXAMPLE]: example, [INSTEAD]: instead },
      when: [{ equals: ["id", run] }, { absent: WAY }],
    });
    if (first !== undefined) return;
    const row = await this.#store.get(key);
    if (row === undefined || row[WAY] === way || row[DIFFERS] === true) return;
    await this.#store.update(key, { set: { [DIFFERS]: true }, when: [{ equals: ["id", run] }] });
  }
}

/** What a run's row says: the finding of all its invalid items, or nothing where they differ. */
export function readInvalidFinding(row: Row): InvalidFinding | undefined {
  if (row[WAY] === undefined || row[DIFFERS] === true) return undefined;
  return {
    way: String(row[WAY]),
    ...(row[EXAMPLE] !== undefined && { example: String(row[EXAMPLE]) }),
    ...(row[INSTEAD] !== undefined && { instead: String(row[INSTEAD]) }),
  };
}

/**
 * Says how all items failed, or all invalid ones, if they failed in the same way: "all 3,000 items: `email` missing; the
 * header has ` E-Mail `". Where the way alone would leave out what matters, such as the values that an option takes, the
 * first item's message stands for all. Only of a run that has ended, since an item that fails otherwise may come between the look at the
 * run and the look at its counts.
 */
export function sameFailureOf(
  { invalidFinding, status, completedAt }: Pick<RunRecord, "invalidFinding" | "status" | "completedAt">,
  { produced, pending, deadByReason }: Pick<Counts, "produced" | "pending" | "deadByReason">,
): string | undefined {
  const invalid = deadByReason["invalid item"] ?? 0;
  const ended = (completedAt !== undefined || status === "failed") && pending === 0;
  if (invalidFinding === undefined || invalid < 2 || !ended) return undefined;
  const { way, example, instead } = invalidFinding;
  const items = `${invalid.toLocaleString("en-US")} ${invalid === produced ? "" : "invalid "}items`;
  const how = example === undefined ? `: ${way}` : ` failed in the same way. The first: ${example}`;
  return `all ${items}${how}${instead === undefined ? "" : `; ${instead}`}`;
}

const cut = (text: string): string =>
  (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text).toWellFormed();
