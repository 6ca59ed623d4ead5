import type { Key, LedgerStore, Row } from "../aws/table.ts";
import type { Json } from "../base/json.ts";
import { EMPTY_STATE, type NextEpoch } from "../limits/advance.ts";
import { type ControllerState, completed, shortened } from "../limits/controller-state.ts";
import type { OwnReport } from "../limits/environment-limit.ts";
import type { SetLimit } from "../limits/fleet-limit.ts";
import type { LimitState, MemberNote } from "../limits/limit-state.ts";
import { REPORT_FIGURES, type Report } from "../limits/report.ts";
import { noteText, parseNote, parseShares, sharesText } from "./compact-limits.ts";

/** The key of a workflow's limit row. Each workflow has a table of its own. */
export const LIMIT_KEY: Key = { pk: "limit", sk: "limit" };

/**
 * Code raises this number when older code would damage the row. Version 2 writes notes and shares as short texts under
 * new names. Code of version 1 does not see them: it has no share while a limit is in force, and begins no epoch.
 */
const VERSION = 2;

/** The state of the limit row, and whether a newer version of Sluice wrote it. */
export interface StoredLimit {
  readonly state: LimitState;
  /** Code of an older version uses the limit and the shares, and never begins an epoch. */
  readonly isNewerVersion: boolean;
  /** The workflow's `concurrency` when the latest epoch began. `undefined`: there was no epoch. */
  readonly concurrency: number | undefined;
}

/**
 * Reads and writes the limit row of a workflow: the only requests that the coordination of the fleet needs. See
 * `docs/internals/limits.md`.
 *
 * The row never expires, so a later run starts from what an earlier one has found.
 */
export class LimitRow {
  readonly #store: LedgerStore;

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  async read(): Promise<StoredLimit> {
    return readLimitRow((await this.#store.get(LIMIT_KEY)) ?? {});
  }

  /** Adds an environment's report, writes its note and returns the row after that: the one update per environment and second. */
  async report(member: string, { report, note }: OwnReport): Promise<StoredLimit> {
    return await this.#update({
      set: note === undefined ? {} : { [NOTE + member]: noteText(note) },
      increase: figuresOf(report),
    });
  }

  /** Adds the last report of an environment whose invocation ends, and removes its note. Its share is free at once. */
  async leave(member: string, report: Report): Promise<StoredLimit> {
    return await this.#update({ increase: figuresOf(report), remove: [NOTE + member] });
  }

  /**
   * Begins an epoch. Returns the row after that, or `undefined` if another environment was faster.
   *
   * @param concurrency The slots of the fleet. The command `sluice limit` reads this number.
   */
  async begin(next: NextEpoch, concurrency: number): Promise<StoredLimit | undefined> {
    const { epoch, at, dueAt, tokensLeft, countedBefore, controller, limit, shares, gone } = next;
    const row = await this.#store.update(LIMIT_KEY, {
      set: {
        version: VERSION,
        concurrency,
        epoch,
        at,
        dueAt,
        tokensLeft,
        // Without the zeros, the row of a fleet without a limit stays below one write unit.
        before: JSON.stringify(nonZero({ ...countedBefore })),
        controller: JSON.stringify(shortened(controller)),
        limit: JSON.stringify(limit),
        given: sharesText(shares),
      },
      remove: ["shares", ...gone.flatMap((member) => [NOTE + member, OLD_NOTE + member])],
      isPermanent: true,
      when: [epoch === EMPTY_STATE.epoch + 1 ? { absent: "epoch" } : { equals: ["epoch", epoch - 1] }],
    });
    return row === undefined ? undefined : readLimitRow(row);
  }

  /** Sets the limits of the command `sluice limit`. They replace those that it set before, and stay until they are cleared. */
  async set(limit: SetLimit): Promise<StoredLimit> {
    return await this.#update({ set: { set: JSON.stringify(limit) } });
  }

  /** Removes the limits that the command `sluice limit` has set. */
  async clear(): Promise<StoredLimit> {
    return await this.#update({ remove: ["set"] });
  }

  async #update(update: {
    readonly set?: Readonly<Record<string, Json>>;
    readonly increase?: Readonly<Record<string, number>>;
    readonly remove?: readonly string[];
  }): Promise<StoredLimit> {
    // Without a condition, the update always succeeds.
    return readLimitRow((await this.#store.update(LIMIT_KEY, { ...update, isPermanent: true })) ?? {});
  }
}

/** The attribute of a note is this text and the id of the environment. */
const NOTE = "n ";
/** The same with notes as JSON, as version 1 wrote them. */
const OLD_NOTE = "m ";

/**
 * The figures that are not 0. They are rounded, because DynamoDB's numbers have at most 38 digits.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
 */
function figuresOf(report: Report): Readonly<Record<string, number>> {
  const figures = REPORT_FIGURES.map((figure) => [figure, Math.round(report[figure] * 1e6) / 1e6] as const);
  return nonZero(Object.fromEntries(figures));
}

const nonZero = (figures: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== 0));

export function readLimitRow(row: Row): StoredLimit {
  const json = <Content>(attribute: string, missing: Content): Content => {
    const text = row[attribute];
    return typeof text === "string" ? (JSON.parse(text) as Content) : missing;
  };
  const number = (attribute: string, missing: number): number => Number(row[attribute] ?? missing);
  return {
    isNewerVersion: number("version", VERSION) > VERSION,
    concurrency: row.concurrency === undefined ? undefined : number("concurrency", 0),
    state: {
      epoch: number("epoch", EMPTY_STATE.epoch),
      at: number("at", EMPTY_STATE.at),
      dueAt: number("dueAt", EMPTY_STATE.dueAt),
      counted: Object.fromEntries(REPORT_FIGURES.map((figure) => [figure, number(figure, 0)])) as unknown as Report,
      countedBefore: { ...EMPTY_STATE.countedBefore, ...json("before", {}) },
      controller:
        row.controller === undefined ? undefined : completed(json<Partial<ControllerState>>("controller", {})),
      limit: json("limit", EMPTY_STATE.limit),
      shares: typeof row.given === "string" ? parseShares(row.given) : json("shares", EMPTY_STATE.shares),
      members: {
        ...notesOf(row, OLD_NOTE, (text) => JSON.parse(text) as MemberNote),
        ...notesOf(row, NOTE, parseNote),
      },
      tokensLeft: number("tokensLeft", EMPTY_STATE.tokensLeft),
      set: json("set", EMPTY_STATE.set),
    },
  };
}

function notesOf(row: Row, prefix: string, parse: (text: string) => MemberNote): Record<string, MemberNote> {
  const notes: Record<string, MemberNote> = {};
  for (const [attribute, text] of Object.entries(row)) {
    if (attribute.startsWith(prefix)) notes[attribute.slice(prefix.length)] = parse(String(text));
  }
  return notes;
}
