import { quoted } from "../parts/text.ts";
import type { FailuresState } from "./failures-state.ts";

/** How many ids a shown command names. */
const MOST_IDS = 4;

const shortId = (id: string): string => (/^[0-9a-f]{8}-/.test(id) ? id.slice(0, 8) : id);

/** The words that select the same dead letters on the command line. */
function selectionWords(state: FailuresState): string {
  const { ids, filter } = state.selection.value;
  if (ids !== undefined) {
    const shown = ids.slice(0, MOST_IDS).map(shortId).join(" ");
    return ids.length > MOST_IDS ? ` ${shown} … (${ids.length} ids)` : ` ${shown}`;
  }
  const { groups = [], reason, run, text } = filter ?? {};
  return [
    ...groups.map((group) => ` --error ${group}`),
    ...(reason === undefined ? [] : [` --reason ${quoted(reason.replaceAll(" ", "-"))}`]),
    ...(run === undefined ? [] : [` --run ${quoted(run)}`]),
    ...(text === undefined ? [] : [` --error ${quoted(text)}`]),
  ].join("");
}

/** The `dlq` command that does the same as a button. */
export function dlqCommand(words: string, state: FailuresState, flags: string): string {
  const isRedrive = words.startsWith("redrive");
  const { set = [], items } = isRedrive ? state.edits.value : {};
  const changes = [
    ...set.map((each) => ` --set ${quoted(each)}`),
    ...(items === undefined ? [] : [" --edit"]),
    ...(isRedrive && rateOf(state) !== undefined ? [` --rate ${rateOf(state)}/s`] : []),
  ].join("");
  const selected = words === "list" ? "" : selectionWords(state);
  return `npx sluice dlq ${words}${selected}${changes} --workflow ${quoted(state.workflow)}${flags}`;
}

/** The rate that the user typed. `undefined`: no limit. */
export function rateOf({ rate }: FailuresState): number | undefined {
  const value = Number(rate.value);
  return rate.value.trim() !== "" && value > 0 && Number.isFinite(value) ? value : undefined;
}
