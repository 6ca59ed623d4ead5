import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stateRoot } from "../../local/state-root.ts";
import { toError } from "../../shared/base/errors.ts";
import { parseEnvLines } from "./env-lines.ts";

const NAME = ".env";

/** What `.env` adds to the environment variables of the workflow. */
export interface EnvFile {
  /** The file that was read; `undefined`: there is none. */
  readonly file: string | undefined;
  /** The variables that the file sets. Their values are secrets, and must not be printed. */
  readonly variables: Readonly<Record<string, string>>;
  /** Names of the file that are set in the shell. Their values stay. */
  readonly kept: readonly string[];
  /** Why the file could not be read, or which of its lines do not set what they seem to set. */
  readonly problems: readonly string[];
}

/** Where `.env` may be: in the directory in which the command was typed, then in the root of the project. */
export function envFiles(directory: string = process.cwd()): readonly string[] {
  return [...new Set([directory, dirname(stateRoot(directory))])].map((folder) => join(folder, NAME));
}

/**
 * Reads the first of the files that exists. A variable that is set already keeps its value, also if it is empty.
 *
 * @param set The variables that are set.
 */
export function readEnvFile(files: readonly string[], set: Readonly<Record<string, string | undefined>>): EnvFile {
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
      const problems = [`${file} cannot be read: ${toError(error).message}`];
      return { file: undefined, variables: {}, kept: [], problems };
    }
    const { variables, problems } = parseEnvLines(text);
    const parsed = Object.entries(variables);
    return {
      file,
      variables: Object.fromEntries(parsed.filter(([name]) => set[name] === undefined)),
      kept: parsed.flatMap(([name]) => (set[name] === undefined ? [] : [name])),
      problems: problems.map((problem) => `${file}: ${problem}`),
    };
  }
  return { file: undefined, variables: {}, kept: [], problems: [] };
}
