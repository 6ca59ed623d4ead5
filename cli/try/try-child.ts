/** The process in which a workflow with a companion is tried. See `inCompanionChild`. */
import type { TryOptions } from "../commands/try.ts";
import { reportError } from "../screens/error.ts";
import { tryFile } from "./try-file.ts";

const { file, options }: { readonly file: string; readonly options: TryOptions } = JSON.parse(process.argv[2] ?? "");
// `reportError` looks for this word.
if (options.json) process.argv.push("--json");
try {
  process.exitCode = await tryFile(file, options);
} catch (error) {
  process.exitCode = await reportError(error);
}
