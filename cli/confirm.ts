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
  const { promise: closed, resolve: close } = Promise.withResolvers<string>();
  // By Ctrl-C or Ctrl-D: without an answer, and without the end of the line.
  terminal.once("close", () => {
    process.stderr.write("\n");
    close("");
  });
  const answer = await Promise.race([terminal.question(`${question} [y/N] `), closed]);
  terminal.removeAllListeners("close");
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
