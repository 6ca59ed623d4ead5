import { DeadLetterGroups } from "../../../shared/dead-letters/groups.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import type { ItemChange } from "../../dlq/item-change.ts";
import { widthOf } from "../columns.ts";
import { count, style } from "../format.ts";
import { itemText, shortId } from "./dead-letter-text.ts";
import { groupTable } from "./group-table.ts";

/** Groups, and changed items, that are shown at the most before people are asked. */
const GROUPS_SHOWN = 20;
const CHANGES_SHOWN = 3;

/** What is shown of the dead letters that a command would move or delete, before it does. */
export class Preview {
  readonly #groups = new DeadLetterGroups("error");
  readonly #ids = new Set<string>();
  #foreign = 0;
  readonly #changes: { readonly id: string; readonly before: string; readonly after: string }[] = [];

  /** Whether the dead letter was seen: only what was shown is touched, and not what came since. */
  has(deadLetter: DeadLetter): boolean {
    return this.#ids.has(deadLetter.id);
  }

  /** Dead letters that are none of ours. */
  get foreign(): number {
    return this.#foreign;
  }

  add(deadLetter: DeadLetter): void {
    if (deadLetter.kind === "foreign") this.#foreign++;
    this.#ids.add(deadLetter.id);
    this.#groups.add(deadLetter);
  }

  /** A change of items, of which some are remembered to be shown. */
  watch(change: ItemChange): ItemChange {
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
