import { DeadLetterGroups } from "../../../shared/dead-letters/groups.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import type { ItemChange } from "../../dlq/item-change.ts";
import { count, style } from "../format.ts";
import { widthOf } from "../terminal-width.ts";
import { itemText, shortId } from "./dead-letter-text.ts";
import { groupTable } from "./group-table.ts";

/** How many groups and changed items a preview shows. */
const GROUPS_SHOWN = 20;
const CHANGES_SHOWN = 3;

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
    const parts = [groupTable(sorted.slice(0, GROUPS_SHOWN), "error", widthOf(process.stdout))];
    if (sorted.length > GROUPS_SHOWN) parts.push(style("dim", `${count(sorted.length - GROUPS_SHOWN)} more groups`));
    if (this.#changes.length > 0) {
      parts.push(
        this.#changes
          .map(({ id, before, after }) => {
            const indent = " ".repeat(shortId(id).length);
            return `${shortId(id)} ${style("red", `- ${before}`)}\n${indent} ${style("green", `+ ${after}`)}`;
          })
          .join("\n"),
      );
    }
    return parts.join("\n\n");
  }
}
