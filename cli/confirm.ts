import { createInterface } from "node:readline/promises";
import { ConfigurationError } from "../shared/errors.ts";

/**
 * Asks a yes-or-no question on the terminal. No is the default.
 *
 * @throws {ConfigurationError} There is no terminal to ask on.
 */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new ConfigurationError(`${question} Nobody is there to be asked: add --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
