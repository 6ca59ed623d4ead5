import { type LetterGroup, LetterGroups } from "../../shared/dead-letters/groups.ts";
import type { Letter } from "../../shared/dead-letters/letter.ts";
import type { PassResult } from "../../shared/dead-letters/pass.ts";
import { widthOf } from "../columns.ts";
import { count, style } from "../format.ts";
import { oneLine } from "../printable.ts";
import type { Target } from "../target.ts";
import { dlqCommand, placeOf } from "./command-words.ts";
import { filterWords, quoted } from "./filter-words.ts";
import { groupTable, type Listing } from "./group-table.ts";
import { isFiltered, isMeant } from "./letter-filter.ts";
import type { LetterOptions } from "./letter-options.ts";
import { letterTable } from "./letter-table.ts";
import { shortId } from "./letter-words.ts";
import type { Step } from "./next-steps.ts";
import { passNotes } from "./pass-notes.ts";
import { lookedAtWords, noneOf, seenWords } from "./seen-words.ts";

export interface ListedOptions extends LetterOptions {
  /** Groups or letters shown at the most. */
  readonly limit: number;
}

/** What a list shows of one workflow's letters, in memory that does not grow with their number. */
export class Listed {
  readonly #by: Listing;
  readonly #options: ListedOptions;
  readonly #groups: LetterGroups | undefined;
  /** The first letters, where each is shown for itself. */
  readonly #letters: Letter[] = [];
  #meant = 0;
  #firstExpiry: string | null = null;

  constructor(by: Listing, options: ListedOptions) {
    this.#by = by;
    this.#options = options;
    this.#groups = by === "letter" ? undefined : new LetterGroups(by);
  }

  /** Letters that fit the filters. */
  get meant(): number {
    return this.#meant;
  }

  add(letter: Letter): void {
    const { expiresAt } = letter;
    if (expiresAt !== null && (this.#firstExpiry ?? expiresAt) >= expiresAt) this.#firstExpiry = expiresAt;
    if (!isMeant(letter, this.#options)) return;
    this.#meant++;
    if (this.#groups !== undefined) this.#groups.add(letter);
    else if (this.#letters.length < this.#options.limit) this.#letters.push(letter);
  }

  /** The list for machines: an object a group or letter, and one with the totals. */
  toJson({ workflow, where }: Target, result: PassResult): readonly object[] {
    const { limit } = this.#options;
    const groups = this.#groups?.sorted ?? [];
    const { looked, heldElsewhere, approximate, complete, stoppedBy = null } = result;
    return [
      ...groups.slice(0, limit).map((group) => ({ type: "group", workflow, by: this.#by, ...group })),
      ...this.#letters.map((letter) => ({ type: "letter", ...letter })),
      {
        type: "totals",
        workflow,
        where,
        letters: looked,
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
        this.#by === "letter" ? letterTable(this.#letters, width) : groupTable(groups.slice(0, limit), this.#by, width),
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
    const id = group?.example.id ?? this.#letters[0]?.id ?? "";
    const some = filtersOf(this.#by, group, this.#options);
    return [
      [command(`show ${shortId(id)}`), "one letter and its history"],
      [command(`redrive${some}`), "send them back, after a dry run"],
      [command(`purge${some}`), "delete them, after a backup"],
    ];
  }
}

/** What is typed for a group, or for all that is listed. */
function filtersOf(by: Listing, group: LetterGroup | undefined, options: LetterOptions): string {
  if (group !== undefined && by === "error") return `${filterWords(options, "error")} --error ${group.key}`;
  if (group !== undefined && by === "reason") {
    return `${filterWords(options, "reason")} --reason ${Object.keys(group.reasons)[0]?.replaceAll(" ", "-")}`;
  }
  const run = by === "run" ? group?.example.run : undefined;
  return typeof run === "string"
    ? `${filterWords(options, "run")} --run ${quoted(oneLine(run))}`
    : filterWords(options);
}
