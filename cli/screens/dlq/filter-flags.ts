import type { DeadLetterOptions } from "../../options/dead-letter-options.ts";

/**
 * A command's filters as the user typed them, for the commands that it suggests: ` --reason exhausted --since 2h`.
 *
 * @param without A kind of filter to leave out.
 */
export function filterFlags(
  { reason = [], error = [], run = [], since, text = [], where }: DeadLetterOptions,
  without?: "reason" | "error" | "run",
): string {
  const all: readonly (readonly [name: string, values: readonly string[]])[] = [
    ["reason", reason.map((each) => each.replaceAll(" ", "-"))],
    ["error", error],
    ["run", run],
    ["since", since === undefined ? [] : [since.text]],
    ["text", text],
    ["where", where === undefined ? [] : [where.expression]],
  ];
  return all
    .filter(([name]) => name !== without)
    .flatMap(([name, values]) => values.map((value) => ` --${name} ${quoted(value)}`))
    .join("");
}

/** A word, quoted for a shell if necessary. */
export const quoted = (word: string): string =>
  /^[\w.,:/@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
