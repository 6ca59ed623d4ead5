import { type DeadLetterGroup, DeadLetterGroups } from "../../../shared/dead-letters/groups.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import type { ScanResult } from "../../../shared/dead-letters/scan.ts";
import { hasFilters, matches } from "../../dlq/filter.ts";
import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";
import type { Listing } from "../../options/listing.ts";
import type { Target } from "../../targets/target.ts";
import { count, style } from "../format.ts";
import type { Step } from "../next-steps.ts";
import { paragraph } from "../paragraph.ts";
import { oneLine } from "../printable.ts";
import { linesOf, widthOf } from "../terminal-width.ts";
import { dlqCommand, placeOf } from "./command-line.ts";
import { deadLetterTable } from "./dead-letter-table.ts";
import { shortId } from "./dead-letter-text.ts";
import { filterFlags, quoted } from "./filter-flags.ts";
import { type FittedTable, fittedTable } from "./fitted-table.ts";
import { groupTable } from "./group-table.ts";
import { allReadText, noneMatchesText, readText } from "./scan-counts.ts";
import { scanNotes } from "./scan-notes.ts";

/** More runs than anybody looks at. */
const RUNS = 1_000;
/** The line that says that there are more, with an empty line. */
const MORE_LINES = 2;
const SHOWN_RUNS = 3;
/** How many groups or dead letters are shown if the user does not say it. */
const SHOWN = 50;

export interface DeadLetterListOptions extends DeadLetterOptions {
  /** How many groups or dead letters are shown. Default: 50, and on a terminal as many as fit. */
  readonly limit?: number;
}

/** The list of one workflow's dead letters. Its use of memory does not grow with the number of dead letters. */
export class DeadLetterList {
  readonly #by: Listing;
  readonly #options: DeadLetterListOptions;
  readonly #limit: number;
  readonly #groups: DeadLetterGroups | undefined;
  /** The first dead letters, if the list shows each one. */
  readonly #deadLetters: DeadLetter[] = [];
  #matched = 0;
  #firstExpiry: string | null = null;
  /** The number of matching dead letters of each run. Keeps at most `RUNS` runs. */
  readonly #runs = new Map<string, number>();

  constructor(by: Listing, options: DeadLetterListOptions) {
    this.#by = by;
    this.#options = options;
    this.#limit = options.limit ?? SHOWN;
    this.#groups = by === "dead-letter" ? undefined : new DeadLetterGroups(by);
  }

  /** How many dead letters match the filters. */
  get matched(): number {
    return this.#matched;
  }

  add(deadLetter: DeadLetter): void {
    const { expiresAt } = deadLetter;
    if (expiresAt !== null && (this.#firstExpiry ?? expiresAt) >= expiresAt) this.#firstExpiry = expiresAt;
    if (!matches(deadLetter, this.#options)) return;
    this.#matched++;
    const { run } = deadLetter;
    if (run !== null && (this.#runs.has(run) || this.#runs.size < RUNS))
      this.#runs.set(run, (this.#runs.get(run) ?? 0) + 1);
    if (this.#groups !== undefined) this.#groups.add(deadLetter);
    else if (this.#deadLetters.length < this.#limit) this.#deadLetters.push(deadLetter);
  }

  /** The list for machines: one object for each group or dead letter, and one with the totals. */
  toJson({ workflow, where }: Target, result: ScanResult): readonly object[] {
    const limit = this.#limit;
    const groups = this.#groups?.sorted ?? [];
    const { looked, heldElsewhere, approximate, complete, stoppedBy = null } = result;
    return [
      ...groups.slice(0, limit).map((group) => ({ type: "group", workflow, by: this.#by, ...group })),
      ...this.#deadLetters.map((deadLetter) => ({ type: "deadLetter", ...deadLetter })),
      {
        type: "totals",
        workflow,
        where,
        deadLetters: looked,
        meant: this.#matched,
        ...(this.#groups !== undefined && { groups: groups.length }),
        firstExpiresAt: this.#firstExpiry,
        complete,
        heldElsewhere,
        approximate,
        stoppedBy,
      },
    ];
  }

  /**
   * The list for people.
   *
   * @param room How many lines it may have, if the user does not say how many groups or dead letters to show. `undefined`:
   *   any number.
   */
  toText(target: Target, result: ScanResult, room?: number): string {
    const runs = this.#runsText(target);
    const notes = scanNotes(result, this.#options, this.#firstExpiry);
    const after = [...(runs === undefined ? [] : [paragraph(runs)]), ...(notes.length > 0 ? [notes.join("\n")] : [])];
    const heading = this.heading(target, result);
    if (this.#matched === 0) return [heading, ...after].join("\n\n");
    const others = [heading, ...after].reduce((sum, part) => sum + linesOf(part) + 1, 0);
    const isFitted = room !== undefined && this.#options.limit === undefined;
    const { text, shown } = this.#table(isFitted ? room - others : undefined);
    const all = this.#all;
    const more = all > shown ? [style("dim", `${count(all - shown)} more. Show all with: --limit ${all}`)] : [];
    return [heading, text, ...more, ...after].join("\n\n");
  }

  /** How many groups there are, or dead letters if the list shows each one. */
  get #all(): number {
    return this.#groups === undefined ? this.#matched : this.#groups.sorted.length;
  }

  #table(room: number | undefined): FittedTable {
    const width = widthOf(process.stdout);
    // If not all rows fit, a line says so.
    const table = <Row>(rows: readonly Row[], draw: Parameters<typeof fittedTable<Row>>[2]) => {
      const whole = fittedTable(rows, room, draw);
      return whole.shown === this.#all || room === undefined ? whole : fittedTable(rows, room - MORE_LINES, draw);
    };
    const by = this.#by;
    if (by === "dead-letter") return table(this.#deadLetters, (rows, isDense) => deadLetterTable(rows, width, isDense));
    const groups = (this.#groups?.sorted ?? []).slice(0, this.#limit);
    return table(groups, (rows, isDense) => groupTable(rows, by, width, isDense));
  }

  /** Says of which runs the dead letters are, if there are several: the queue holds those of all runs. */
  #runsText(target: Target): string | undefined {
    if (this.#runs.size < 2 || this.#by === "run") return undefined;
    // The id of a run begins with its time.
    const runs = [...this.#runs].sort(([a], [b]) => (a < b ? 1 : -1));
    const shown = runs.slice(0, SHOWN_RUNS).map(([run, number]) => `${oneLine(run)} (${count(number)})`);
    const more = runs.length > SHOWN_RUNS ? ", …" : "";
    const command = dlqCommand("--by run", target, this.#options, undefined);
    return `They are of several runs: ${shown.join(", ")}${more}. One run: --run <id>. All runs: ${command}`;
  }

  /** Says how many dead letters there are, and where. It is the most important line of the list. */
  heading(target: Target, result: ScanResult): string {
    const words =
      this.#matched === 0
        ? noneMatchesText(target, result)
        : `${placeOf(target)}: ${hasFilters(this.#options) ? `${count(this.#matched)} of ${readText(result)}` : allReadText(result)}`;
    const place = placeOf(target);
    return paragraph(style("bold", place) + words.slice(place.length));
  }

  /**
   * Commands that the user can type next.
   *
   * @param workflow The workflow's name, if the commands must name it because several workflows have dead letters.
   */
  steps(target: Target, workflow: string | undefined): readonly Step[] {
    const command = (words: string) => dlqCommand(words, target, this.#options, workflow);
    const [group] = this.#groups?.sorted ?? [];
    const id = group?.example.id ?? this.#deadLetters[0]?.id ?? "";
    const some = filtersOf(this.#by, group, this.#options);
    return [
      [command(`show ${shortId(id)}`), "show one dead letter with its attempts"],
      [command(`redrive${some}`), "send them back, after a dry run"],
      [command(`purge${some}`), "delete them, after a backup"],
    ];
  }
}

/** The flags that select the first group; if there are no groups, everything that is listed. */
function filtersOf(by: Listing, group: DeadLetterGroup | undefined, options: DeadLetterOptions): string {
  if (group !== undefined && by === "error") return `${filterFlags(options, "error")} --error ${group.key}`;
  if (group !== undefined && by === "reason") {
    return `${filterFlags(options, "reason")} --reason ${Object.keys(group.reasons)[0]?.replaceAll(" ", "-")}`;
  }
  const run = by === "run" ? group?.example.run : undefined;
  return typeof run === "string"
    ? `${filterFlags(options, "run")} --run ${quoted(oneLine(run))}`
    : filterFlags(options);
}
