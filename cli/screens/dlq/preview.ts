import { DeadLetterGroups } from "../../../shared/dead-letters/groups.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import type { ItemChange } from "../../dlq/item-change.ts";
import { plural, style } from "../format.ts";
import { paragraph } from "../paragraph.ts";
import { linesOf, roomOf, widthOf } from "../terminal-width.ts";
import { itemText, shortId } from "./dead-letter-text.ts";
import { fittedTable } from "./fitted-table.ts";
import { groupTable } from "./group-table.ts";

/** How many groups and changed items a preview shows. */
const GROUPS_SHOWN = 20;
const CHANGES_SHOWN = 3;
/** The lines around a preview: what would be done above it, the number of more groups, and the question below it. */
const LINES_AROUND = 9;

/** What a command shows before it moves or deletes dead letters. */
export class Preview {
  readonly #groups = new DeadLetterGroups("error");
  readonly #ids = new Set<string>();
  #foreign = 0;
  readonly #changes: { readonly id: string; readonly before: string; readonly after: string }[] = [];

  /** Whether the preview showed a dead letter. A command acts only on those. */
  has(deadLetter: DeadLetter): boolean {
    return this.#ids.has(deadLetter.id);
  }

  /** How many messages Sluice did not send. */
  get foreign(): number {
    return this.#foreign;
  }

  /** Wraps a selection: adds the dead letters that it selects to this preview. */
  recording(selects: (deadLetter: DeadLetter) => boolean): (deadLetter: DeadLetter) => boolean {
    return (deadLetter) => {
      const selected = selects(deadLetter);
      if (selected) this.#add(deadLetter);
      return selected;
    };
  }

  #add(deadLetter: DeadLetter): void {
    if (deadLetter.kind === "foreign") this.#foreign++;
    this.#ids.add(deadLetter.id);
    this.#groups.add(deadLetter);
  }

  /** Wraps a change of items: adds the first changes to this preview. */
  recordingChanges(change: ItemChange): ItemChange {
    return async (deadLetter) => {
      const item = await change(deadLetter);
      if (item !== undefined && this.#changes.length < CHANGES_SHOWN) {
        this.#changes.push({ id: deadLetter.id, before: itemText(deadLetter.item), after: itemText(item) });
      }
      return item;
    };
  }

  toText(): string {
    const { sorted } = this.#groups;
    const width = widthOf(process.stdout);
    const changes = this.#changes.flatMap(({ id, before, after }) => {
      const indent = " ".repeat(shortId(id).length);
      return [`${shortId(id)} ${style("red", `- ${before}`)}`, `${indent} ${style("green", `+ ${after}`)}`];
    });
    const room = roomOf(process.stdout);
    const shownChanges = changes.length === 0 ? [] : [changes.join("\n")];
    const changeLines = changes.length === 0 ? 0 : linesOf(paragraph(changes.join("\n"))) + 1;
    const { text, shown } = fittedTable(
      sorted.slice(0, GROUPS_SHOWN),
      room === undefined ? undefined : room - LINES_AROUND - changeLines,
      (groups, isDense) => groupTable(groups, "error", width, isDense),
    );
    const more = sorted.length > shown ? [style("dim", moreGroups(sorted.length - shown))] : [];
    return [text, ...more, ...shownChanges].join("\n\n");
  }
}

const moreGroups = (number: number): string => `${plural(number, "more group")}. List all with: npx sluice dlq`;
