import type { DeadLetterGroup } from "../../../shared/dead-letters/groups.ts";
import type { Listing } from "../../options/listing.ts";
import { type Column, columns, WIDE } from "../columns.ts";
import { count, style } from "../format.ts";
import { oneLine } from "../printable.ts";
import { ago, errorText, shortId } from "./dead-letter-text.ts";

const dim = (text: string) => style("dim", text);
const bold = (text: string) => style("bold", text);

/**
 * Groups of dead letters as a table. Each example stands beside the error, or on a narrow terminal below it.
 *
 * @param isDense Whether each group takes as few lines as possible: one, or two on a narrow terminal.
 */
export function groupTable(
  groups: readonly DeadLetterGroup[],
  by: Exclude<Listing, "dead-letter">,
  width: number,
  isDense = false,
): string {
  const wide = width >= WIDE;
  // If the list groups by error, the error of the example says what a group is. Otherwise the group has a name.
  const named = by !== "error";
  const specs: Column[] = [
    { header: "COUNT", align: "right", paint: bold },
    ...(named ? [{ header: by.toUpperCase() }] : []),
    ...(by === "reason" ? [] : [{ header: "REASON", paint: (text: string) => style("yellow", text) }]),
    { header: named ? "ERROR OF THE LATEST" : "ERROR", grow: 3, lines: isDense ? 1 : 4 },
    ...(wide ? [{ header: "FIRST SEEN" }] : []),
    { header: "LAST SEEN" },
    ...(wide ? [{ header: "EXAMPLE", grow: 2, lines: isDense ? 1 : 2, paint: dim }] : []),
    ...(wide && !named ? [{ header: "GROUP", paint: dim }] : []),
  ];
  const rows = groups.map((group) => [
    count(group.count),
    ...(named ? [oneLine(group.name)] : []),
    ...(by === "reason" ? [] : [reasonsText(group)]),
    errorText(group.example.error),
    ...(wide ? [ago(group.firstDiedAt)] : []),
    ago(group.lastDiedAt),
    ...(wide ? [exampleText(group)] : []),
    ...(wide && !named ? [group.key] : []),
  ]);
  return columns(specs, rows, {
    width,
    heading: dim,
    isDense,
    ...(wide ? {} : { below: (row) => details(groups[row], named, isDense) }),
  });
}

const reasonsText = ({ reasons }: DeadLetterGroup): string => Object.keys(reasons).join(", ");

const exampleText = ({ example }: DeadLetterGroup): string => `${shortId(example.id)} ${oneLine(example.item)}`;

function details(group: DeadLetterGroup | undefined, named: boolean, isDense: boolean): readonly string[] {
  if (group === undefined) return [];
  const example = `e.g. ${exampleText(group)}`;
  if (isDense) return [named ? example : `group ${group.key} · ${example}`];
  const first = `first seen ${ago(group.firstDiedAt)}`;
  return [named ? first : `${first} · group ${group.key}`, example];
}
