import { existsSync, readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { sep } from "node:path";
import { fileURLToPath } from "node:url";
import { shortPath } from "./native-packages.ts";

interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The own directory of Sluice: in the checkout the repository, otherwise `dist`. */
const OWN = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Shows where in the user's files an error was thrown: file, line, column, and the line itself.
 *
 * @param bundle The bundle that threw, with its source map beside it. Node maps its frames only if nothing else in the
 *   process replaces `Error.prepareStackTrace`.
 * @returns An empty text if no frame of the stack lies in such a file.
 */
export function codeFrame(error: Error, bundle?: string): string {
  const position = positionOf(error, bundle);
  if (position === undefined) return "";
  const { file, line, column } = position;
  const text = readFileSync(file, "utf8").split("\n")[line - 1]?.trimEnd() ?? "";
  const gutter = " ".repeat(String(line).length);
  return [
    `    ${shortPath(file)}:${line}:${column}:`,
    `      ${line} │ ${text}`,
    `      ${gutter} ╵ ${text.slice(0, column - 1).replaceAll(/\S/g, " ")}^`,
  ].join("\n");
}

function positionOf({ stack = "" }: Error, bundle: string | undefined): Position | undefined {
  for (const text of stack.split("\n")) {
    const frame = frameOf(text);
    const position = frame?.file === bundle && frame !== undefined ? originalOf(frame) : frame;
    if (position === undefined) continue;
    const { file } = position;
    if (!file.includes(`${sep}node_modules${sep}`) && !isOwn(file) && existsSync(file)) return position;
  }
  return undefined;
}

function frameOf(text: string): Position | undefined {
  const found = /(?<path>file:\/\/[^\s)]+|\/[^:()]+|[A-Za-z]:\\[^:()]+):(?<line>\d+):(?<column>\d+)\)?$/.exec(text);
  if (found?.groups === undefined) return undefined;
  const { path = "", line, column } = found.groups;
  return {
    file: path.startsWith("file:") ? fileURLToPath(path) : path,
    line: Number(line),
    column: Number(column),
  };
}

/** Where a position of a bundle is in the files that it was made of. */
function originalOf({ file, line, column }: Position): Position | undefined {
  const map = `${file}.map`;
  if (!existsSync(map)) return undefined;
  const payload = JSON.parse(readFileSync(map, "utf8")) as SourceMapPayload;
  const found = new SourceMap(payload).findEntry(line - 1, column - 1);
  if (!("originalSource" in found) || found.originalSource === undefined) return undefined;
  const { originalSource, originalLine, originalColumn } = found;
  return { file: fileURLToPath(originalSource), line: originalLine + 1, column: originalColumn + 1 };
}

/** Whether a file is a part of Sluice. The workflows of its repository are files of users. */
const isOwn = (file: string): boolean =>
  ["shared", "cli", "functions", "infra", "local"].some((folder) => file.startsWith(`${OWN}${folder}${sep}`));
