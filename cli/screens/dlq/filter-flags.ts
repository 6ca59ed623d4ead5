import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";

/** The filters of a command as they are typed, for the commands that it proposes: `--reason exhausted --since 2h`. */
export function filterWords(
  { reason = [], error = [], run = [], since, where }: DeadLetterOptions,
  without?: "reason" | "error" | "run",
): string {
  const all: readonly (readonly [name: string, values: readonly string[]])[] = [
    ["reason", reason.map((each) => each.replaceAll(" ", "-"))],
    ["error", error],
    ["run", run],
    ["since", since === undefined ? [] : [since.text]],
    ["where", where === undefined ? [] : [where.expression]],
  ];
  return all
    .filter(([name]) => name !== without)
    .flatMap(([name, values]) => values.map((value) => ` --${name} ${quoted(value)}`))
    .join("");
}

/** A word as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w.,:/@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
