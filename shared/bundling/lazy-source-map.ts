import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * Makes the stack traces of a bundle show the lines of the original files, and reads the source map only once a stack trace is
 * looked at. `process.setSourceMapsEnabled` reads the map of every module that is imported, which takes 15 ms of CPU time.
 *
 * A program that replaces `Error.prepareStackTrace` later gets the positions in the bundle.
 */
export function mapStacksLazily(bundle: string): void {
  const url = pathToFileURL(bundle).href;
  let map: SourceMap | undefined;
  const original = (line: number, column: number): string => {
    map ??= new SourceMap(JSON.parse(readFileSync(`${bundle}.map`, "utf8")) as SourceMapPayload);
    const entry = map.findEntry(line - 1, column - 1);
    if (!("originalSource" in entry) || entry.originalSource === undefined) return `${url}:${line}:${column}`;
    const { originalSource, originalLine, originalColumn } = entry;
    const file = originalSource.startsWith("file:") ? fileURLToPath(originalSource) : originalSource;
    return `${file}:${originalLine + 1}:${originalColumn + 1}`;
  };
  const mapped = (frame: string): string => {
    const start = frame.indexOf(`${url}:`);
    const position = start < 0 ? null : /^:(?<line>\d+):(?<column>\d+)/.exec(frame.slice(start + url.length));
    if (position === null) return frame;
    const { line = "", column = "" } = position.groups ?? {};
    const rest = frame.slice(start + url.length + position[0].length);
    return `${frame.slice(0, start)}${original(Number(line), Number(column))}${rest}`;
  };
  Error.prepareStackTrace = (error, sites) =>
    [headOf(error), ...sites.map((site) => `    at ${safely(mapped, String(site))}`)].join("\n");
}

/** A message may be a getter that throws. */
function headOf(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function safely(mapped: (frame: string) => string, frame: string): string {
  try {
    return mapped(frame);
  } catch {
    return frame;
  }
}
