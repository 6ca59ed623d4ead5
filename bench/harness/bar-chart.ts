import { formatNumber } from "./results-table.ts";
import type { Plot, Result } from "./row.ts";

/** Told apart by people who do not see all colours (Okabe and Ito's palette). */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];
const INK = "#1f2328";
const FAINT = "#d0d7de";
const FONT = "font-family='system-ui, sans-serif'";

const WIDTH = 760;
const LABELS = 190;
const VALUES = 110;
const BAR = 16;
const GAP = 3;
const GROUP_GAP = 12;
const TITLE = 30;
const PANEL_TITLE = 26;
const PANEL_GAP = 14;

/** Horizontal bars: a panel a metric, a group a row, a bar a side, its whisker as long as the rounds' spread. */
export function barChart({ title, panels }: Plot, results: readonly Result[]): string | undefined {
  const known = panels.map((panel) => ({
    ...panel,
    groups: panel.groups
      .map((group) => ({ ...group, bars: results.filter(({ row, median }) => row === group.row && median !== null) }))
      .filter(({ bars }) => bars.length > 0),
  }));
  const sides = [...new Set(known.flatMap(({ groups }) => groups.flatMap(({ bars }) => bars.map(({ side }) => side))))];
  if (sides.length === 0) return undefined;
  const colours = new Map(sides.map((side, index) => [side, COLOURS[index % COLOURS.length] ?? INK]));
  const parts: string[] = [text(16, 22, title, { size: 15, weight: 600 })];
  let y = TITLE;
  // Where groups have names, a legend tells the sides apart; where not, each bar bears its side's name.
  const legend = known.some(({ groups }) => groups.some(({ label }) => label !== ""));
  if (legend) {
    let x = 16;
    for (const side of sides) {
      parts.push(rectangle(x, y + 4, 10, 10, colours.get(side) ?? INK), text(x + 15, y + 13, side, { size: 12 }));
      x += 30 + 6.4 * side.length;
    }
    y += 22;
  }
  for (const { title: panelTitle, unit, groups, from = 0, line } of known) {
    if (groups.length === 0) continue;
    parts.push(text(16, y + 17, `${panelTitle}, ${unit}`, { size: 12, weight: 600 }));
    y += PANEL_TITLE;
    const top = y;
    const highest = Math.max(
      ...groups.flatMap(({ bars }) => bars.map(({ median, spread }) => (median ?? 0) + (spread ?? 0) / 2)),
    );
    const room = WIDTH - LABELS - VALUES - 16;
    const x = (value: number) => LABELS + (room * Math.max(0, value - from)) / (highest - from || 1);
    for (const { label, bars } of groups) {
      if (label !== "") parts.push(text(LABELS - 8, y + (bars.length * (BAR + GAP)) / 2 + 3, label, { anchor: "end" }));
      for (const { side, median, spread } of bars) {
        const value = median ?? 0;
        if (label === "") parts.push(text(LABELS - 8, y + BAR - 4, side, { anchor: "end" }));
        parts.push(rectangle(LABELS, y, x(value) - LABELS, BAR, colours.get(side) ?? INK));
        const [low, high] = [value - (spread ?? 0) / 2, value + (spread ?? 0) / 2];
        if ((spread ?? 0) > 0) parts.push(stroke(x(low), y + BAR / 2, x(high), y + BAR / 2, INK));
        parts.push(text(x(Math.max(value, high)) + 6, y + BAR - 4, formatNumber(value), {}));
        y += BAR + GAP;
      }
      y += GROUP_GAP;
    }
    parts.push(stroke(LABELS, top - 4, LABELS, y - GROUP_GAP + 2, FAINT));
    if (from > 0) parts.push(text(LABELS, y + 2, `the axis starts at ${from} ${unit}`, { size: 10 }));
    if (line !== undefined) {
      parts.push(stroke(x(line.at), top - 6, x(line.at), y - GROUP_GAP + 2, INK, "3 3"));
      parts.push(text(x(line.at) + 4, top - 6, `${line.label}: ${line.at} ${unit}`, { size: 10 }));
    }
    y += PANEL_GAP;
  }
  const size = `viewBox='0 0 ${WIDTH} ${y}' width='${WIDTH}' height='${y}'`;
  const background = `<rect width='100%' height='100%' fill='#ffffff'/>`;
  return `<svg xmlns='http://www.w3.org/2000/svg' ${size} role='img' aria-label='${escapeText(title)}'>\n${background}\n${parts.join("\n")}\n</svg>\n`;
}

interface TextStyle {
  readonly size?: number;
  readonly weight?: number;
  readonly anchor?: "start" | "end";
}

function text(x: number, y: number, content: string, { size = 11, weight = 400, anchor = "start" }: TextStyle): string {
  const style = `font-size='${size}' font-weight='${weight}' text-anchor='${anchor}' fill='${INK}'`;
  return `<text x='${round(x)}' y='${round(y)}' ${FONT} ${style}>${escapeText(content)}</text>`;
}

function rectangle(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x='${round(x)}' y='${round(y)}' width='${round(width)}' height='${height}' rx='2' fill='${fill}'/>`;
}

function stroke(x1: number, y1: number, x2: number, y2: number, colour: string, dashes = ""): string {
  const dash = dashes === "" ? "" : ` stroke-dasharray='${dashes}'`;
  return `<line x1='${round(x1)}' y1='${round(y1)}' x2='${round(x2)}' y2='${round(y2)}' stroke='${colour}'${dash}/>`;
}

const round = (value: number): number => Math.round(10 * value) / 10;

const escapeText = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("'", "&apos;");
