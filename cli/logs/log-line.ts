import { itemId } from "../../shared/messages/item-address.ts";

/** The function that wrote a line. */
export type LogOrigin = "producer" | "consumer";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** A line of a function's log. */
export interface LogLine {
  readonly from: LogOrigin;
  /** Milliseconds since 1970. `undefined`: the line has no time, such as one of `console.log` on this machine. */
  readonly at: number | undefined;
  readonly level: LogLevel;
  readonly message: string;
  /** What the line holds besides, without the fields that tell which run, item and attempt it is of. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly run: string | undefined;
  /** The item's id: `run/page/index`. */
  readonly item: string | undefined;
  readonly attempt: number | undefined;
}

/** The message of the line that the consumer writes for each failed attempt after which another one follows. */
export const FAILED_ATTEMPT = "attempt failed";

const LEVELS: Readonly<Record<string, LogLevel>> = {
  TRACE: "debug",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  ERROR: "error",
  CRITICAL: "error",
  FATAL: "error",
};

/** Fields that say where a line comes from, and nothing about the item. */
const HIDDEN = new Set([
  "level",
  "message",
  "timestamp",
  "service",
  "sampling_rate",
  "requestId",
  "xray_trace_id",
  "run",
  "partition",
  "page",
  "index",
  "epoch",
  "redrives",
  "attempt",
]);

/**
 * What Lambda itself writes about invocations: that they begin and end, and what they cost.
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
 */
const OF_LAMBDA = /^(START RequestId: |END RequestId: |INIT_START |XRAY TraceId: )/;
const REPORT = /^REPORT RequestId: /;
/** https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html#node-logging-output */
const OF_CONSOLE = /^(?<time>\d{4}-\d\d-\d\dT[\d:.]+Z)\t[^\t]*\t(?<level>[A-Z]+)\t(?<message>[\s\S]*)$/;
const OF_TIMEOUT = /^(?<time>\d{4}-\d\d-\d\dT[\d:.]+Z) [\w-]{36} (?<message>Task timed out[\s\S]*)$/;
/** How the runtime begins the line of an error that ends the process, and Node that of an error's stack. */
const OF_ERROR = /^(uncaughtException|unhandledRejection|the handler failed|\w*Error\b[\w\s[\]]*:)/;

/**
 * Reads a line of a function's log.
 *
 * @returns `undefined` if the line holds metrics, or only says that an invocation began or ended.
 */
export function parseLogLine(text: string, from: LogOrigin): LogLine | undefined {
  const trimmed = text.trimEnd();
  if (trimmed === "" || OF_LAMBDA.test(trimmed)) return undefined;
  if (REPORT.test(trimmed) && !/\tStatus: (error|timeout)/.test(trimmed)) return undefined;
  const structured = trimmed.startsWith("{") ? objectOf(trimmed) : undefined;
  return structured === undefined ? ofText(trimmed, from) : ofObject(structured, from);
}

function ofText(text: string, from: LogOrigin): LogLine {
  const none = { from, fields: {}, run: undefined, item: undefined, attempt: undefined };
  const ofConsole = OF_CONSOLE.exec(text)?.groups;
  if (ofConsole !== undefined) {
    const { time = "", level = "", message = "" } = ofConsole;
    return { ...none, at: Date.parse(time), level: LEVELS[level] ?? "info", message };
  }
  const ofTimeout = OF_TIMEOUT.exec(text)?.groups;
  if (ofTimeout !== undefined) {
    const { time = "", message = "" } = ofTimeout;
    return { ...none, at: Date.parse(time), level: "error", message };
  }
  const isError = OF_ERROR.test(text) || REPORT.test(text);
  return { ...none, at: undefined, level: isError ? "error" : "info", message: text };
}

function ofObject(object: Readonly<Record<string, unknown>>, from: LogOrigin): LogLine | undefined {
  // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
  if (typeof object._aws === "object") return undefined;
  const { level, message, timestamp, run, partition, page, index, attempt } = object;
  if (typeof message !== "string" || typeof level !== "string") {
    const text = JSON.stringify(object);
    return {
      from,
      at: undefined,
      level: "info",
      message: text,
      fields: {},
      run: undefined,
      item: undefined,
      attempt: undefined,
    };
  }
  const at = typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
  const isOfItem = typeof run === "string" && typeof page === "number" && typeof index === "number";
  return {
    from,
    at: Number.isNaN(at) ? undefined : at,
    level: LEVELS[level] ?? "info",
    message,
    fields: Object.fromEntries(Object.entries(object).filter(([name]) => !HIDDEN.has(name))),
    run: typeof run === "string" ? run : undefined,
    item: isOfItem ? itemId({ run, partition: typeof partition === "number" ? partition : 0, page, index }) : undefined,
    attempt: typeof attempt === "number" ? attempt : undefined,
  };
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
