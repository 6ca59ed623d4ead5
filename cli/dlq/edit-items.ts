import { isDeepStrictEqual } from "node:util";
import { toError } from "../../shared/base/errors.ts";
import type { Letter } from "../../shared/dead-letters/letter.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { Draft } from "../editor.ts";
import { checkItem } from "./item-change.ts";
import { type DraftItem, type Edited, hasBigints, readDraft, toDraft } from "./item-draft.ts";
import { errorText } from "./letter-words.ts";

/** What a person made of the items of some letters. */
export interface EditedItems {
  /** The new items, by the letters' ids. */
  readonly changed: ReadonlyMap<string, unknown>;
  /** Letters that were left as they are, or whose items were deleted. */
  readonly left: number;
  /** Letters whose items were left as they cannot be sent. */
  readonly invalid: readonly { readonly id: string; readonly problem: string }[];
}

/**
 * Opens the items of some letters in the editor. Those that are not JSON or fail the schema are opened again, with the
 * reason above them, until they pass or are left as they are.
 *
 * @throws {SluiceError} `EDITOR`: the editor failed.
 */
export async function editItems(workflow: Workflow, letters: readonly Letter[]): Promise<EditedItems> {
  await using draft = await Draft.open(`${workflow.name}.jsonc`);
  const changed = new Map<string, unknown>();
  let left = 0;
  let open: readonly { readonly letter: Letter; readonly draft: DraftItem }[] = letters.map((letter) => ({
    letter,
    draft: { id: letter.id, about: `${letter.reason} · ${errorText(letter.error)}`, item: letter.item },
  }));
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
    const edited = readDraft(saved, (id) => open.some(({ letter }) => letter.id === id && hasBigints(letter.item)));
    const again: (typeof open)[number][] = [];
    for (const { letter, draft } of open) {
      const outcome = await judge(workflow, letter, edited.get(letter.id));
      if (outcome.tag === "left") left++;
      else if (outcome.tag === "changed") changed.set(letter.id, outcome.item);
      else again.push({ letter, draft: { ...draft, ...outcome.draft } });
    }
    if (again.length === 0) return { changed, left, invalid: [] };
    open = again;
  }
}

type Outcome =
  | { readonly tag: "left" }
  | { readonly tag: "changed"; readonly item: unknown }
  | { readonly tag: "again"; readonly draft: Pick<DraftItem, "problem" | "text" | "item"> };

async function judge(workflow: Workflow, letter: Letter, edited: Edited | undefined): Promise<Outcome> {
  if (edited === undefined) return { tag: "left" };
  if (edited.tag === "unreadable") {
    return { tag: "again", draft: { problem: edited.problem, text: edited.text, item: undefined } };
  }
  const { item } = edited;
  if (isDeepStrictEqual(item, letter.item)) return { tag: "left" };
  try {
    await checkItem(workflow, letter, item);
    return { tag: "changed", item };
  } catch (error) {
    return { tag: "again", draft: { problem: toError(error).message, text: undefined, item } };
  }
}
