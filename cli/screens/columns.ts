import cliTruncate from "cli-truncate";
import stringWidth from "string-width";
import wrapAnsi from "wrap-ansi";

export interface Column {
  readonly header: string;
  readonly align?: "right";
  /** The column's share of the width that the other columns leave. Left out: the column is as wide as its content. */
  readonly grow?: number;
  /** How many lines a cell may have. Default: 1. Longer text ends in "…". */
  readonly lines?: number;
  /** Styles a line of a cell. */
  readonly paint?: (text: string) => string;
}

const GAP = "  ";
/** On a narrower terminal, two columns of text do not fit beside each other. */
export const WIDE = 120;
/** A growing column is at least this wide, so that a line holds at least a few words. */
const MIN_WIDTH = 16;

/** Rows below their headers, at most `width` characters wide. Widths are those of a terminal: an emoji takes two. */
export function columns(
  specs: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, indent = "", heading = (text: string) => text, below, isDense = false }: Layout,
): string {
  const rooms = columnWidths(specs, rows, width - indent.length);
  const wrap = (cells: readonly string[]) =>
    specs.map(({ lines = 1 }, column) => cellLines(cells[column] ?? "", rooms[column] ?? 0, lines));
  const header = specs.map((spec) => [spec.header]);
  const body = rows.map(wrap);
  // A column is only as wide as its longest line, because broken lines are rarely full.
  const widths = specs.map((_, column) =>
    Math.max(...[header, ...body].flatMap((cells) => cells[column]?.map((line) => stringWidth(line)) ?? [])),
  );
  const draw = (cells: readonly (readonly string[])[], paint: (column: Column) => (text: string) => string) =>
    Array.from({ length: Math.max(...cells.map((lines) => lines.length)) }, (_, row) => {
      const parts = specs.map((spec, column) => {
        const text = cells[column]?.[row] ?? "";
        const room = " ".repeat((widths[column] ?? 0) - stringWidth(text));
        const painted = text === "" ? "" : paint(spec)(text);
        return spec.align === "right" ? room + painted : painted + room;
      });
      return indent + parts.join(GAP).trimEnd();
    });
  const plain = (text: string) => text;
  const growing = specs.findIndex(({ grow }) => grow !== undefined);
  const offset = widths.slice(0, Math.max(0, growing)).reduce((sum, each) => sum + each + GAP.length, indent.length);
  return [
    ...draw(header, () => heading),
    ...body.flatMap((cells, row) => [
      ...draw(cells, ({ paint = plain }) => paint),
      ...(below === undefined ? [] : below(row).map((text) => beneath(text, offset, width, heading))),
      // An empty line separates rows that have several lines.
      ...(below === undefined || isDense || row === body.length - 1 ? [] : [""]),
    ]),
  ].join("\n");
}

const beneath = (text: string, offset: number, width: number, paint: (text: string) => string): string =>
  " ".repeat(offset) + paint(cliTruncate(text, Math.max(1, width - offset)));

export interface Layout {
  readonly width: number;
  readonly indent?: string;
  /** Styles the headers, and the lines below a row. */
  readonly heading?: (text: string) => string;
  /** Lines below a row. They begin at the first growing column and end at the right edge. */
  readonly below?: (row: number) => readonly string[];
  /** Whether rows with lines below them follow each other without an empty line. Default: false. */
  readonly isDense?: boolean;
}

/** Breaks a text into at most `most` lines of at most `width` characters. */
function cellLines(text: string, width: number, most: number): readonly string[] {
  const lines = wrapAnsi(text, width, { hard: true }).split("\n");
  if (lines.length <= most) return lines;
  const kept = lines.slice(0, most - 1);
  return [...kept, cliTruncate(lines.slice(most - 1).join(" "), width)];
}

/** The columns' widths. Each is as wide as its content if there is room. Otherwise the growing columns become narrower. */
function columnWidths(
  specs: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly number[] {
  const natural = specs.map(({ header }, column) =>
    Math.max(stringWidth(header), ...rows.map((row) => stringWidth(row[column] ?? ""))),
  );
  const fixed = natural.filter((_, column) => specs[column]?.grow === undefined).reduce((sum, each) => sum + each, 0);
  let room = width - fixed - GAP.length * (specs.length - 1);
  let growing = specs.flatMap(({ grow }, column) => (grow === undefined ? [] : [{ column, grow }]));
  const widths = [...natural];
  // The other columns get the width that a column does not need.
  for (;;) {
    const shares = growing.reduce((sum, { grow }) => sum + grow, 0);
    const content = growing.filter(({ column, grow }) => (natural[column] ?? 0) <= (room * grow) / shares);
    if (content.length === 0) {
      for (const { column, grow } of growing) widths[column] = Math.max(MIN_WIDTH, Math.floor((room * grow) / shares));
      return widths;
    }
    for (const { column } of content) room -= natural[column] ?? 0;
    growing = growing.filter((each) => !content.includes(each));
  }
}
