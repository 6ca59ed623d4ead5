import { JsonView, type Props } from "react-json-view-lite";
import { visible } from "../parts/text.ts";

/** A number that JavaScript would change stays as it is written. */
const exactly = (_: string, value: unknown, context?: { readonly source?: string }): unknown => {
  if (typeof value === "string") return visible(value);
  if (typeof value !== "number" || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
};

const STYLE: NonNullable<Props["style"]> = {
  container: "tree",
  basicChildStyle: "tree-child",
  childFieldsContainer: "tree-children",
  label: "tree-label",
  clickableLabel: "tree-label tree-clickable",
  nullValue: "tree-null",
  undefinedValue: "tree-null",
  stringValue: "tree-string",
  booleanValue: "tree-boolean",
  numberValue: "tree-number",
  otherValue: "tree-null",
  punctuation: "tree-punctuation",
  expandIcon: "tree-icon tree-expand",
  collapseIcon: "tree-icon tree-collapse",
  collapsedContent: "tree-collapsed",
  noQuotesForStringValues: false,
  quotesForFieldNames: false,
  ariaLables: { collapseJson: "Collapse", expandJson: "Expand" },
};

/** Deeper levels are closed at first. */
const OPEN_LEVELS = 2;

/** A JSON text as a tree, or the text if it is no object. */
export function JsonTree({ text }: { readonly text: string }) {
  let data: unknown;
  try {
    data = JSON.parse(text, exactly as (key: string, value: unknown) => unknown);
  } catch {
    return <pre class="json">{visible(text)}</pre>;
  }
  if (typeof data !== "object" || data === null) return <pre class="json">{visible(text)}</pre>;
  return <JsonView data={data} style={STYLE} shouldExpandNode={(level) => level < OPEN_LEVELS} aria-label="The item" />;
}
