import { parseEnv } from "node:util";

/** What a text in the form of `.env` sets, and the lines of it that do not set what their writer meant. */
export interface EnvLines {
  readonly variables: Readonly<Record<string, string>>;
  /** What is wrong, with the numbers of the lines. The values are secrets, so no value is part of it. */
  readonly problems: readonly string[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/;
const LOOKS_SET = /^\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*=[^=\s]/;

/** Parses `.env` as Node does (https://nodejs.org/api/util.html#utilparseenvcontent), which ignores what it cannot read. */
export function parseEnvLines(content: string): EnvLines {
  // Editors on Windows may write a byte order mark, which would become a part of the first name.
  const text = content.replace(/^\uFEFF/, "");
  const all = Object.entries(parse(text));
  const problems = [
    ...ignoredLines(text).map((line) => `line ${line} sets no variable: write NAME=value, or # before a comment`),
    ...all.flatMap(([name, value]) => problemOf(name, value)),
    ...cutLines(text, Object.fromEntries(all)),
  ];
  return { variables: Object.fromEntries(all.filter(([name]) => NAME.test(name))), problems };
}

const parse = (text: string): Record<string, string> => parseEnv(text) as Record<string, string>;

/** The numbers of the lines that neither set a variable nor belong to a value of several lines. */
function ignoredLines(text: string): number[] {
  const lines = text.split(/\r?\n/);
  const whole = JSON.stringify(parse(text));
  return lines.flatMap((line, index) => {
    if (line.trim() === "" || line.trimStart().startsWith("#")) return [];
    if (/^\s*[^=\s]/.test(line) && line.includes("=")) return [];
    // Without a line of a value, the value is another one.
    const others = lines.toSpliced(index, 1).join("\n");
    return JSON.stringify(parse(others)) === whole ? [index + 1] : [];
  });
}

/**
 * Values that Node ends sooner than their writer meant: a value without quotes ends at `#`, also within a word, and one with
 * quotes ends at the second quote.
 */
function cutLines(text: string, variables: Readonly<Record<string, string>>): string[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const [, name = "", written = ""] = ASSIGNMENT.exec(line) ?? [];
    const value = variables[name];
    // Otherwise the line belongs to a value of several lines, or a later line sets the variable again.
    if (value === undefined || value === "") return [];
    const quote = /^["'`]/.exec(written)?.[0] ?? "";
    if (!written.startsWith(`${quote}${value}${quote}`)) return [];
    const rest = written.slice(value.length + 2 * quote.length);
    if (quote === "" && rest.startsWith("#")) {
      return [
        `line ${index + 1}: the value of ${name} ends before the #: put the value in quotes, or a blank before a comment`,
      ];
    }
    if (quote === "" || /^\s*(?:#|$)/.test(rest)) return [];
    return [
      `line ${index + 1}: the value of ${name} ends at its second quote: put it in quotes of another kind, ', " or \``,
    ];
  });
}

function problemOf(name: string, value: string): string[] {
  if (!NAME.test(name)) {
    return [`${JSON.stringify(name)} is no name of a variable: use letters, digits and _, and begin with no digit`];
  }
  const lines = value.split("\n");
  if (lines.slice(1).some((line) => LOOKS_SET.test(line))) {
    return [
      `the value of ${name} has ${lines.length} lines, and one of them sets a variable: close the quote of ${name}`,
    ];
  }
  // A value such as '"x"' has quotes of its own.
  return /^(["'`])(?!.*\1)/s.test(value)
    ? [`the value of ${name} begins with a quote that is not closed: close it`]
    : [];
}
