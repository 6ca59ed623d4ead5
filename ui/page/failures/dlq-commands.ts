import type { ItemEdits, Selection } from "../../server/api.ts";
import { quoted } from "../parts/text.ts";

/** The dead letters and the changes that a button acts on. */
export interface Choice {
  readonly workflow: string;
  readonly selection: Selection;
  readonly edits?: ItemEdits | undefined;
  /** How many dead letters a redrive sends per second, at most. `undefined`: no limit. */
  readonly ratePerSecond?: number | undefined;
  /** What selects the place, from `Overview.flags`. */
  readonly flags: string;
}

/** The first characters of a message's id, which is a UUID, are enough. */
export const shortId = (id: string): string => (/^[0-9a-f]{8}-/.test(id) ? id.slice(0, 8) : id);

const shortIds = (ids: readonly string[]): string => ids.map((id) => ` ${quoted(shortId(id))}`).join("");

const filterWords = ({ filter = {} }: Selection): string => {
  const { groups = [], reason, run, text } = filter;
  return [
    ...groups.map((group) => ` --error ${quoted(group)}`),
    ...(reason === undefined ? [] : [` --reason ${quoted(reason.replaceAll(" ", "-"))}`]),
    ...(run === undefined ? [] : [` --run ${quoted(run)}`]),
    ...(text === undefined ? [] : [` --text ${quoted(text)}`]),
  ].join("");
};

const selectionWords = (selection: Selection): string =>
  selection.ids === undefined ? filterWords(selection) : shortIds(selection.ids);

const placeWords = ({ workflow, flags }: Pick<Choice, "workflow" | "flags">): string =>
  ` --workflow ${quoted(workflow)}${flags}`;

export const listCommand = (choice: Pick<Choice, "workflow" | "flags">): string =>
  `npx sluice dlq list${placeWords(choice)}`;

export const showCommand = (id: string, choice: Pick<Choice, "workflow" | "flags">): string =>
  `npx sluice dlq show${shortIds([id])}${placeWords(choice)}`;

export function redriveCommand(choice: Choice, { dryRun = false } = {}): string {
  const { selection, ratePerSecond } = choice;
  return [
    `npx sluice dlq redrive${selectionWords(selection)}`,
    changeWords(choice),
    ratePerSecond === undefined ? "" : ` --rate ${ratePerSecond}`,
    dryRun ? " --dry-run" : "",
    placeWords(choice),
  ].join("");
}

/**
 * `--edit` sends only items that are changed, and goes without `--set`. For other combinations, the command line needs a function that
 * the user writes.
 */
function changeWords({ selection: { ids }, edits: { set = [], items = {} } = {} }: Choice): string {
  const edited = Object.keys(items);
  if (edited.length === 0) return set.map((each) => ` --set ${quoted(each.trim())}`).join("");
  return set.length === 0 && ids?.every((id) => edited.includes(id)) ? " --edit" : " --transform ./changes.ts";
}

/** A purge writes a backup by default. */
export const purgeCommand = (choice: Choice): string =>
  `npx sluice dlq purge${selectionWords(choice.selection)}${placeWords(choice)}`;

/** An export has no ids of its own: its only argument is the file. */
export function exportCommand({ selection, ...choice }: Choice): string {
  const { ids } = selection;
  const words =
    ids === undefined
      ? filterWords(selection)
      : ` --where ${quoted(`contains([${ids.map((id) => `'${id}'`).join(", ")}], id)`)}`;
  return `npx sluice dlq export dead-letters.jsonl${words}${placeWords(choice)}`;
}
