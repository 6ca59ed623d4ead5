import { type DeadLetterGroup, DeadLetterGroups } from "../../../shared/dead-letters/groups.ts";
import type { PassResult } from "../../../shared/dead-letters/pass.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { isFiltered, isMeant } from "../../dlq/filter.ts";
import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";
import type { Target } from "../../targets/target.ts";
import { widthOf } from "../columns.ts";
import { count, style } from "../format.ts";
import type { Step } from "../next-steps.ts";
import { oneLine } from "../printable.ts";
import { dlqCommand, placeOf } from "./command-line.ts";
import { deadLetterTable } from "./dead-letter-table.ts";
import { shortId } from "./dead-letter-text.ts";
import { filterWords, quoted } from "./filter-flags.ts";
import { groupTable, type Listing } from "./group-table.ts";
import { lookedAtWords, noneOf, seenWords } from "./scan-counts.ts";
import { passNotes } from "./scan-notes.ts";

export interface ListedOptions extends DeadLetterOptions {
  /** Groups or dead letters shown at the most. */
  readonly limit: number;
}

/** What a list shows of one workflow's dead letters, in memory that does not grow with their number. */
export class Listed {
  readonly #by: Listing;
  readonly #options: ListedOptions;
  readonly #groups: DeadLetterGroups | undefined;
  /** The first dead letters, where each is shown for itself. */
  readonly #deadLetters: DeadLetter[] = [];
  #meant = 0;
  #firstExpiry: string | null = null;

  constructor(by: Listing, options: ListedOptions) {
    this.#by = by;
    this.#options = options;
    this.#groups = by === "dead-letter" ? undefined : new DeadLetterGroups(by);
  }

  /** Dead letters that fit the filters. */
  get meant(): number {
    return this.#meant;
  }

  add(deadLetter: DeadLetter): void {
    const { expiresAt } = deadLetter;
    if (expiresAt !== null && (this.#firstExpiry ?? expiresAt) >= expiresAt) this.#firstExpiry = expiresAt;
    if (!isMeant(deadLetter, this.#options)) return;
    this.#meant++;
    if (this.#groups !== undefined) this.#groups.add(deadLetter);
    else if (this.#deadLetters.length < this.#options.limit) this.#deadLetters.push(deadLetter);
  }

  /** The list for machines: an object a group or dead letter, and one with the totals. */
  toJson({ workflow, where }: Target, result: PassResult): readonly object[] {
    const { limit } = this.#options;
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
        meant: this.#meant,
        ...(this.#groups !== undefined && { groups: groups.length }),
        firstExpiresAt: this.#firstExpiry,
        complete,
        heldElsewhere,
        approximate,
        stoppedBy,
      },
    ];
  }

  /** The list for people. */
  toText(target: Target, result: PassResult): string {
    const { limit } = this.#options;
    const groups = this.#groups?.sorted ?? [];
    const width = widthOf(process.stdout);
    const parts = [this.#heading(target, result)];
    if (this.#meant > 0) {
      parts.push(
        this.#by === "dead-letter"
          ? deadLetterTable(this.#deadLetters, width)
          : groupTable(groups.slice(0, limit), this.#by, width),
      );
      const all = this.#groups === undefined ? this.#meant : groups.length;
      if (all > limit) parts.push(style("dim", `${count(all - limit)} more: --limit ${all} shows all.`));
    }
    const notes = passNotes(result, this.#options, this.#firstExpiry);
    if (notes.length > 0) parts.push(notes.join("\n"));
    return parts.join("\n\n");
  }

  #heading(target: Target, result: PassResult): string {
    const words =
      this.#meant === 0
        ? noneOf(target, result)
        : `${placeOf(target)}: ${isFiltered(this.#options) ? `${count(this.#meant)} of ${lookedAtWords(result)}` : seenWords(result)}`;
    const place = placeOf(target);
    return style("bold", place) + words.slice(place.length);
  }

  /**
   * What to type next.
   *
   * @param workflow Where it must be named, because several have dead letters.
   */
  steps(target: Target, workflow: string | undefined): readonly Step[] {
    const command = (words: string) => dlqCommand(words, target, this.#options, workflow);
    const [group] = this.#groups?.sorted ?? [];
    const id = group?.example.id ?? this.#deadLetters[0]?.id ?? "";
    const some = filtersOf(this.#by, group, this.#options);
    return [
      [command(`show ${shortId(id)}`), "one dead letter and its history"],
      [command(`redrive${some}`), "send them back, after a dry run"],
      [command(`purge${some}`), "delete them, after a backup"],
    ];
  }
}

/** What is typed for a group, or for all that is listed. */
function filtersOf(by: Listing, group: DeadLetterGroup | undefined, options: DeadLetterOptions): string {
  if (group !== undefined && by === "error") return `${filterWords(options, "error")} --error ${group.key}`;
  if (group !== undefined && by === "reason") {
    return `${filterWords(options, "reason")} --reason ${Object.keys(group.reasons)[0]?.replaceAll(" ", "-")}`;
  }
  const run = by === "run" ? group?.example.run : undefined;
  return typeof run === "string"
    ? `${filterWords(options, "run")} --run ${quoted(oneLine(run))}`
    : filterWords(options);
}
