import { cancel, confirm, isCancel, select, text } from "@clack/prompts";
import { SOURCE_KINDS } from "./sources/sources.ts";

/** The user pressed Ctrl-C at a question. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

export async function askSource(): Promise<string> {
  const options = SOURCE_KINDS.map(({ id, label }) => ({ value: id, label }));
  return answered(await select({ message: "Where do the items come from?", options }));
}

/** Returns `undefined` for the sample data. */
export async function askCsvFile(): Promise<string | undefined> {
  const message = "The path of your CSV file (empty: a small sample)";
  const path = answered(await text({ message, placeholder: "customers.csv", defaultValue: "" }));
  return path === "" ? undefined : path;
}

export async function askOverwrite(path: string): Promise<boolean> {
  return answered(await confirm({ message: `${path} exists. Overwrite it?`, initialValue: false }));
}

export async function askInstall(command: string): Promise<boolean> {
  return answered(await confirm({ message: `Install the packages now (${command})?` }));
}

function answered<Answer>(answer: Answer | symbol): Exclude<Answer, symbol> {
  if (!isCancel(answer)) return answer as Exclude<Answer, symbol>;
  cancel("Nothing more was written.");
  throw new Cancelled();
}
