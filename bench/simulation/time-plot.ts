/** A line of a plot: one value for each second. */
export interface Line {
  readonly name: string;
  readonly values: readonly number[];
  readonly colour: string;
  readonly isDashed?: boolean;
}

const WIDTH = 760;
const HEIGHT = 220;
const LEFT = 48;
const RIGHT = 16;
const TOP = 52;
const BOTTOM = 34;
const INK = "#1f2328";
const FAINT = "#d0d7de";
const FONT = "font-family='system-ui, sans-serif'";

/** Lines over the time of a run, as an SVG. */
export function timePlot(title: string, unit: string, lines: readonly Line[], highest: number): string {
  const seconds = Math.max(...lines.map(({ values }) => values.length));
  const x = (second: number) => LEFT + ((WIDTH - LEFT - RIGHT) * second) / (seconds - 1 || 1);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(value, highest) / highest);
  const parts = [text(16, 20, title, 14, "600"), text(16, HEIGHT - 8, "seconds", 11)];
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    const value = tick * highest;
    parts.push(
      `<line x1='${LEFT}' y1='${y(value)}' x2='${WIDTH - RIGHT}' y2='${y(value)}' stroke='${FAINT}'/>`,
      text(LEFT - 6, y(value) + 4, `${Math.round(value)}`, 11, "400", "end"),
    );
  }
  for (let second = 0; second < seconds; second += 50) {
    parts.push(text(x(second), HEIGHT - BOTTOM + 14, `${second}`, 11, "400", "middle"));
  }
  let legend = LEFT;
  for (const { name, values, colour, isDashed } of lines) {
    const points = values.map((value, second) => `${x(second).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    const dash = isDashed ? " stroke-dasharray='5 4'" : "";
    parts.push(
      `<polyline points='${points}' fill='none' stroke='${colour}' stroke-width='1.5'${dash}/>`,
      `<line x1='${legend}' y1='36' x2='${legend + 18}' y2='36' stroke='${colour}' stroke-width='2'${dash}/>`,
      text(legend + 23, 40, `${name}, ${unit}`, 12),
    );
    legend += 50 + 6.6 * (name.length + unit.length);
  }
  const frame = `<svg xmlns='http://www.w3.org/2000/svg' width='${WIDTH}' height='${HEIGHT}' viewBox='0 0 ${WIDTH} ${HEIGHT}' role='img'>`;
  const background = `<rect width='${WIDTH}' height='${HEIGHT}' fill='#ffffff'/>`;
  return `${frame}\n<title>${title}</title>\n${background}\n${parts.join("\n")}\n</svg>\n`;
}

const text = (x: number, y: number, content: string, size: number, weight = "400", anchor = "start"): string =>
  `<text x='${x}' y='${y}' ${FONT} font-size='${size}' font-weight='${weight}' text-anchor='${anchor}' fill='${INK}'>${content}</text>`;
