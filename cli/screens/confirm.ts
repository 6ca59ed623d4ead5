import { createInterface } from "node:readline/promises";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { paragraph } from "./paragraph.ts";

/**
 * Asks a yes-or-no question on the terminal. The default answer is no.
 *
 * @throws {ConfigurationError} There is no terminal.
 */
export async function confirm(question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(question, `${question} [y/N] `));
}

/**
 * Asks the user to type a word, before the command does something that cannot be undone.
 *
 * @throws {ConfigurationError} There is no terminal.
 */
export async function confirmByTyping(question: string, word: string): Promise<boolean> {
  return (await ask(question, `${question} Type ${word} to continue: `)) === word;
}

async function ask(question: string, prompt: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new ConfigurationError(`${question} There is no terminal to confirm this on: add --yes`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const { promise: closed, resolve: close } = Promise.withResolvers<string>();
  // Ctrl-C or Ctrl-D closes it, without an answer and without a line break.
  terminal.once("close", () => {
    process.stderr.write("\n");
    close("");
  });
  // readline handles only a prompt of one line correctly, so the lines before the last are printed first.
  const lines = paragraph(prompt, process.stderr).split("\n");
  const last = lines.pop() ?? "";
  for (const line of lines) process.stderr.write(`${line}\n`);
  const answer = await Promise.race([terminal.question(last), closed]);
  terminal.removeAllListeners("close");
  terminal.close();
  return answer.trim();
}
