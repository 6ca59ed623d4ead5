import { createInterface } from "node:readline/promises";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { paragraph } from "./paragraph.ts";

/**
 * Asks a yes-or-no question on the terminal. No is the default.
 *
 * @throws {ConfigurationError} There is no terminal to ask on.
 */
export async function confirm(question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(question, `${question} [y/N] `));
}

/**
 * Asks for a word to be typed, before something is done that cannot be taken back.
 *
 * @throws {ConfigurationError} There is no terminal to ask on.
 */
export async function confirmByTyping(question: string, word: string): Promise<boolean> {
  return (await ask(question, `${question} Type ${word} to go on: `)) === word;
}

async function ask(question: string, prompt: string): Promise<string> {
  if (!process.stdin.isTTY) throw new ConfigurationError(`${question} Nobody is there to be asked: add --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const { promise: closed, resolve: close } = Promise.withResolvers<string>();
  // By Ctrl-C or Ctrl-D: without an answer, and without the end of the line.
  terminal.once("close", () => {
    process.stderr.write("\n");
    close("");
  });
  // Of a prompt of several lines, the terminal can only keep the last in order.
  const lines = paragraph(prompt, process.stderr).split("\n");
  const last = lines.pop() ?? "";
  for (const line of lines) process.stderr.write(`${line}\n`);
  const answer = await Promise.race([terminal.question(last), closed]);
  terminal.removeAllListeners("close");
  terminal.close();
  return answer.trim();
}
