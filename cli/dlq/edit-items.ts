import { isDeepStrictEqual } from "node:util";
import { toError } from "../../shared/base/errors.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { errorText } from "../screens/dlq/dead-letter-text.ts";
import { Draft } from "./editor.ts";
import { checkItem } from "./item-change.ts";
import { type DraftItem, type Edited, hasBigints, readDraft, toDraft } from "./item-draft.ts";

/** What the user did with the items in the editor. */
export interface EditedItems {
  /** The new items, by the dead letters' ids. */
  readonly changed: ReadonlyMap<string, unknown>;
  /** How many items the user left unchanged or deleted. */
  readonly left: number;
  /** Items that the user left in a state in which they cannot be sent. */
  readonly invalid: readonly { readonly id: string; readonly problem: string }[];
}

/**
 * Opens the items of dead letters in the editor. Items that are not JSON after the edit, or that fail the schema, are
 * opened again with the reason above them. The function returns when all items pass, or when the user saves the text
 * without a change.
 *
 * @throws {SluiceError} `EDITOR`: the editor failed.
 */
export async function editItems(workflow: Workflow, deadLetters: readonly DeadLetter[]): Promise<EditedItems> {
  await using draft = await Draft.open(`${workflow.name}.jsonc`);
  const changed = new Map<string, unknown>();
  let left = 0;
  let open: readonly { readonly deadLetter: DeadLetter; readonly draft: DraftItem }[] = deadLetters.map(
    (deadLetter) => ({
      deadLetter,
      draft: {
        id: deadLetter.id,
        about: `${deadLetter.reason} · ${errorText(deadLetter.error)}`,
        item: deadLetter.item,
      },
    }),
  );
  for (;;) {
    const text = toDraft(
      open.map(({ draft }) => draft),
      workflow.name,
    );
    const saved = await draft.edit(text);
    if (saved === text) {
      const invalid = open.flatMap(({ draft: { id, problem } }) => (problem === undefined ? [] : [{ id, problem }]));
      return { changed, left: left + open.length - invalid.length, invalid };
    }
    const edited = readDraft(saved, (id) =>
      open.some(({ deadLetter }) => deadLetter.id === id && hasBigints(deadLetter.item)),
    );
    const again: (typeof open)[number][] = [];
    for (const { deadLetter, draft } of open) {
      const outcome = await outcomeOf(workflow, deadLetter, edited.get(deadLetter.id));
      if (outcome.tag === "left") left++;
      else if (outcome.tag === "changed") changed.set(deadLetter.id, outcome.item);
      else again.push({ deadLetter, draft: { ...draft, ...outcome.draft } });
    }
    if (again.length === 0) return { changed, left, invalid: [] };
    open = again;
  }
}

type Outcome =
  | { readonly tag: "left" }
  | { readonly tag: "changed"; readonly item: unknown }
  | { readonly tag: "again"; readonly draft: Pick<DraftItem, "problem" | "text" | "item"> };

async function outcomeOf(workflow: Workflow, deadLetter: DeadLetter, edited: Edited | undefined): Promise<Outcome> {
  if (edited === undefined) return { tag: "left" };
  if (edited.tag === "unreadable") {
    return { tag: "again", draft: { problem: edited.problem, text: edited.text, item: undefined } };
  }
  const { item } = edited;
  if (isDeepStrictEqual(item, deadLetter.item)) return { tag: "left" };
  try {
    await checkItem(workflow, deadLetter, item);
    return { tag: "changed", item };
  } catch (error) {
    return { tag: "again", draft: { problem: toError(error).message, text: undefined, item } };
  }
}
