import cliTruncate from "cli-truncate";
import stringWidth from "string-width";
import wrapAnsi from "wrap-ansi";

export interface Column {
  readonly header: string;
  readonly align?: "right";
  /** Its share of the room that the other columns leave. Absent: it is as wide as what it holds. */
  readonly grow?: number;
  /** Lines that a cell may take, 1 unless given; what is longer ends in "…". */
  readonly lines?: number;
  /** How a line of a cell is styled. */
  readonly paint?: (text: string) => string;
}

/** How wide plain output is that no terminal shows. */
const WITHOUT_TERMINAL = 200;
/** Some pseudo-terminals do not know how wide they are. */
const UNKNOWN_TERMINAL = 80;
const GAP = "  ";
/** Below it two columns of text have no room beside each other. */
export const WIDE = 120;
/** A column that grows does not become narrower: its text would be a ladder of syllables. */
const NARROWEST = 16;

/** Characters that fit beside each other on the terminal, or on a page of plain output. */
export const widthOf = ({ isTTY, columns }: NodeJS.WriteStream): number =>
  isTTY ? columns || UNKNOWN_TERMINAL : WITHOUT_TERMINAL;

/** Rows under their headers, at most `width` characters wide, measured as a terminal does: an emoji takes two. */
export function columns(
  specs: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, indent = "", heading = (text: string) => text, below }: Layout,
): string {
  const rooms = columnWidths(specs, rows, width - indent.length);
  const wrap = (cells: readonly string[]) =>
    specs.map(({ lines = 1 }, column) => cellLines(cells[column] ?? "", rooms[column] ?? 0, lines));
  const header = specs.map((spec) => [spec.header]);
  const body = rows.map(wrap);
  // Words do not fill their lines: the next column begins where the longest ends.
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
      // Rows of several lines each run into one another.
      ...(below === undefined || row === body.length - 1 ? [] : [""]),
    ]),
  ].join("\n");
}

const beneath = (text: string, offset: number, width: number, paint: (text: string) => string): string =>
  " ".repeat(offset) + paint(cliTruncate(text, Math.max(1, width - offset)));

export interface Layout {
  readonly width: number;
  readonly indent?: string;
  /** How the headers, and what stands below a row, are styled. */
  readonly heading?: (text: string) => string;
  /** Lines below a row, from the first column that grows to the right edge. */
  readonly below?: (row: number) => readonly string[];
}

/** A text in lines of at most `width`, and no more of them than `most`. */
export function cellLines(text: string, width: number, most: number): readonly string[] {
  const lines = wrapAnsi(text, width, { hard: true }).split("\n");
  if (lines.length <= most) return lines;
  const kept = lines.slice(0, most - 1);
  return [...kept, cliTruncate(lines.slice(most - 1).join(" "), width)];
}

/** The columns' widths: as wide as what they hold where there is room, and the growing ones give way. */
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
  // What a column does not need is left to the others.
  for (;;) {
    const shares = growing.reduce((sum, { grow }) => sum + grow, 0);
    const content = growing.filter(({ column, grow }) => (natural[column] ?? 0) <= (room * grow) / shares);
    if (content.length === 0) {
      for (const { column, grow } of growing) widths[column] = Math.max(NARROWEST, Math.floor((room * grow) / shares));
      return widths;
    }
    for (const { column } of content) room -= natural[column] ?? 0;
    growing = growing.filter((each) => !content.includes(each));
  }
}
