import { FAILED_ATTEMPT, type LogLevel, type LogLine } from "../logs/log-line.ts";
import { count, seconds, style } from "./format.ts";
import { oneLine, printable } from "./printable.ts";

const STYLES = { debug: "dim", info: "cyan", warn: "yellow", error: "red" } as const satisfies Record<LogLevel, string>;

const TIME = "HH:MM:SS.mmm".length;

export interface LogTextOptions {
  /** The most characters of one value. Default: any number. */
  readonly longest?: number | undefined;
  /** Called when a value was cut. */
  readonly onCut?: () => void;
}

/** A line of a log for people: its time here, its level, its item, the message, and the fields. */
export function logText(line: LogLine, now = Date.now(), options: LogTextOptions = {}): string {
  const { level } = line;
  const failed = failedAttemptText(line, options);
  const [message = "", ...more] = failed?.split("\n") ?? printable(line.message).split("\n");
  const item = line.item === undefined ? "" : line.item.slice(line.item.indexOf("/") + 1);
  const again =
    failed === undefined && line.attempt !== undefined && line.attempt > 1 ? `(attempt ${line.attempt})` : "";
  const errors: string[] = [];
  const fields = Object.entries(failed === undefined ? line.fields : {}).flatMap(([name, value]) => {
    const error = errorLines(value);
    if (error === undefined) return `${oneLine(name)}=${shortened(valueText(value), options)}`;
    errors.push(...error);
    return [];
  });
  const from = line.from === "producer" ? "producer" : "";
  const head = [
    style("dim", timeText(line.at, now)),
    style(STYLES[level], level.padEnd(5)),
    ...[item, from, again].filter((part) => part !== "").map((part) => style("dim", part)),
    level === "error" ? style("red", message) : message,
    ...fields.map((field) => style("dim", field)),
  ];
  return [head.join("  "), ...[...more, ...errors].map((rest) => `  ${rest}`)].join("\n");
}

/**
 * A failed attempt after which another one follows: "attempt 1 of 3 failed: TypeError: no; next in 2 s". `undefined`: the
 * line says something else.
 */
function failedAttemptText({ message, attempt, fields }: LogLine, options: LogTextOptions): string | undefined {
  const { attempts, failure, nextInSeconds } = fields;
  if (message !== FAILED_ATTEMPT || typeof failure !== "string" || typeof nextInSeconds !== "number") return undefined;
  return `attempt ${attempt} of ${attempts} failed: ${shortened(oneLine(failure), options)}; next in ${seconds(nextInSeconds)}`;
}

/** A text of at most `longest` characters, and how many more there are. */
function shortened(text: string, { longest = Number.POSITIVE_INFINITY, onCut }: LogTextOptions): string {
  if (text.length <= longest) return text;
  onCut?.();
  return `${text.slice(0, longest).toWellFormed()}… (${count(text.length - longest)} more characters)`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** The time in this machine's zone, with the date if that is not today. `toLocaleTimeString` would be slow. */
export function timeText(at: number | undefined, now: number): string {
  if (at === undefined) return " ".repeat(TIME);
  const date = new Date(at);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
  const today = new Date(now);
  const isToday =
    date.getDate() === today.getDate() &&
    date.getMonth() === today.getMonth() &&
    date.getFullYear() === today.getFullYear();
  return isToday ? time : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** A text without blanks as it is, so that it can be read; everything else as JSON. */
function valueText(value: unknown): string {
  if (typeof value === "string" && /^[^\s"'=]+$/.test(value)) return printable(value);
  return printable(JSON.stringify(value) ?? String(value));
}

/** The lines of an error, which the logger writes as an object with `name`, `message` and `stack`. */
function errorLines(value: unknown): readonly string[] | undefined {
  if (typeof value !== "object" || value === null || !("name" in value) || !("message" in value)) return undefined;
  const { name, message, stack } = value as Readonly<Record<string, unknown>>;
  const frames = typeof stack === "string" ? stack.split("\n").filter((frame) => /^\s+at /.test(frame)) : [];
  return printable([`${name}: ${message}`, ...frames].join("\n")).split("\n");
}
