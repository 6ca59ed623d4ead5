import { inspect } from "node:util";
import { jsonText } from "../../shared/base/exact-json.ts";
import type { FieldFindings } from "../../shared/definition/schema-fields.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import type { Cursor } from "../../shared/sources/source.ts";
import type { TriedItem } from "../try/try-item.ts";
import { count, plural, style, warningLine } from "./format.ts";
import { paragraph } from "./paragraph.ts";
import { printable } from "./printable.ts";
import { widthOf } from "./terminal-width.ts";

/** The columns before a value. */
const INDENT = 10;
/** Lines of values are not longer, however wide the terminal is. */
const LONGEST_LINE = 100;

/** What the screen shows of the first page. */
export interface ShownPage {
  readonly items: number;
  readonly next: Cursor | undefined;
  readonly warnings: readonly string[];
  /** `undefined`: the items are no objects. */
  readonly findings: FieldFindings | undefined;
  readonly hasSchema: boolean;
  /** Whether the schema tells its fields. */
  readonly isSchemaKnown: boolean;
}

const quoted = (...names: readonly string[]): string => printable(names.map((name) => JSON.stringify(name)).join(", "));

/** The first page, its cursor, and its fields beside those of the schema. */
export function pageText({ name, source }: Pick<Workflow, "name" | "source">, page: ShownPage): string {
  const end =
    page.next === undefined
      ? "the source ends here"
      : `page 2 begins at the cursor ${printable(jsonText(page.next) ?? "")}`;
  const lines = [`${style("bold", name)} · page 1 of the source: ${plural(page.items, "item")} · ${end}`];
  lines.push(...page.warnings.map(warningLine));
  if (page.findings !== undefined) lines.push(...fieldLines(page, page.findings, source.fieldsFrom));
  return lines.map((line) => paragraph(line)).join("\n");
}

function fieldLines(page: ShownPage, found: FieldFindings, from: "header" | undefined): readonly string[] {
  const warning = style("yellow", "warning");
  const where = from === "header" ? "header" : "fields";
  const missing = found.missing.map(({ field, items, similar }) => {
    const instead = similar === undefined ? "" : `. There is ${quoted(similar)} instead`;
    return `  ${warning} missing: ${quoted(field)} in ${count(items)} of ${plural(page.items, "item")}${instead}`;
  });
  const matches = page.isSchemaKnown && missing.length === 0;
  return [
    `  ${where}: ${quoted(...found.fields)}${matches ? " · the schema finds all fields that it requires" : ""}`,
    ...missing,
    ...(found.unknown.length > 0 ? [`  not in the schema: ${quoted(...found.unknown)}`] : []),
    ...(found.blanks.length > 0 ? [`  ${warning} blanks around the name: ${quoted(...found.blanks)}`] : []),
    ...(page.hasSchema && !page.isSchemaKnown
      ? ["  the schema does not tell its fields, so they are not compared"]
      : []),
  ];
}

/** One item with its result or its error, in full. */
export function triedText(tried: TriedItem): string {
  const { number, item, milliseconds, logs } = tried;
  const mark = tried.outcome === "succeeded" ? style("green", "succeeded") : style("red", "failed");
  const lines = [
    "",
    `item ${number}  ${mark} in ${count(milliseconds)} ms`,
    `  item    ${indented(shown(item))}`,
    ...logs.map(({ level, message, fields }) =>
      `  log     ${level}: ${printable(message)} ${fieldsText(fields)}`.trimEnd(),
    ),
  ];
  if (tried.outcome === "succeeded") lines.push(`  result  ${indented(shown(tried.result))}`);
  else lines.push(`  error   ${indented(errorText(tried.error))}`, paragraph(`  next    ${tried.follows}`));
  return lines.join("\n");
}

function errorText({ name, message, stack }: Extract<TriedItem, { outcome: "failed" }>["error"]): string {
  const frames = (stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return [`${name}: ${message}`, ...frames.map((line) => line.trim())].join("\n");
}

const fieldsText = (fields: object): string => (Object.keys(fields).length === 0 ? "" : printable(shown(fields)));

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  const breakLength = Math.min(LONGEST_LINE, widthOf(process.stdout) - INDENT);
  return inspect(value, { depth: 10, maxArrayLength: null, maxStringLength: null, breakLength });
}

const indented = (text: string): string => printable(text).replaceAll("\n", `\n${" ".repeat(INDENT)}`);

export function summaryText({ tried, succeeded, failed }: Readonly<Record<"tried" | "succeeded" | "failed", number>>) {
  if (tried === 0) return "\nThe page has no items to try.";
  return `\n${plural(tried, "item")} tried: ${count(succeeded)} succeeded, ${count(failed)} failed. Nothing was recorded.`;
}
