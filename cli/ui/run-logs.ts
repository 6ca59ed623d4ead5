import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { LogRequest, LogRow, LogView } from "../../ui/server/api.ts";
import { RequestError } from "../../ui/server/request-error.ts";
import { EXIT } from "../exit-code.ts";

/** How many lines the page shows, and how much of each. */
const SHOWN = 500;
const LONGEST_TEXT = 4_000;

/** The words of the command that prints a log. */
export const logWords = ({ run, item, onlyErrors }: LogRequest): readonly string[] => [
  "logs",
  run,
  ...(item === undefined ? [] : ["--item", item]),
  ...(onlyErrors ? ["--error"] : []),
];

/**
 * Runs `sluice logs`, and keeps its last lines.
 *
 * @param flags What the command needs to act on the same target.
 * @throws {RequestError} The command failed. The message is the command's.
 */
export async function readLogs(request: LogRequest, flags: readonly string[], signal: AbortSignal): Promise<LogView> {
  const [, cli = ""] = process.argv;
  const words = [...logWords(request), ...flags, "--json"];
  const child = spawn(process.execPath, ["--no-warnings", cli, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGTERM",
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2_000);
  });
  const lines: LogRow[] = [];
  let seen = 0;
  let failure: string | undefined;
  const ended = once(child, "close");
  // The error of a child that was stopped is the error of `ended`.
  ended.catch(() => {});
  for await (const text of createInterface({ input: child.stdout })) {
    const line = parse(text);
    if (line.type === "error") failure = String(line.message);
    if (line.type !== "log") continue;
    seen++;
    lines.push(rowOf(line));
    // A shift for each line would be slow.
    if (lines.length >= 2 * SHOWN) lines.splice(0, SHOWN);
  }
  const [code] = (await ended) as [number | null];
  if (failure !== undefined) throw new RequestError(409, failure);
  if (code !== 0 && code !== EXIT.noneMatches) throw new RequestError(500, errors || "npx sluice logs failed");
  const shown = lines.slice(-SHOWN);
  return { lines: shown, omitted: seen - shown.length };
}

type Line = Readonly<Record<string, unknown>>;

const rowOf = ({ at, function: name, level, item, attempt, message, fields }: Line): LogRow => ({
  at: typeof at === "string" ? at : null,
  function: String(name),
  level: String(level),
  item: typeof item === "string" ? item : null,
  attempt: typeof attempt === "number" ? attempt : null,
  message: start(String(message)),
  fields: fields === undefined ? "" : start(JSON.stringify(fields)),
});

const start = (text: string): string => (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text);

function parse(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return {};
  }
}
