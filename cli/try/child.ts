/** The process in which a workflow with a companion is tried. See `inChild`. */
import { importWorkflow } from "../../shared/definition/workflow-module.ts";
import type { TryOptions } from "../commands/try.ts";
import { reportError } from "../screens/error.ts";
import { parseItem } from "./try-here.ts";
import { tryWorkflow } from "./try-workflow.ts";

const { file, options }: { readonly file: string; readonly options: TryOptions } = JSON.parse(process.argv[2] ?? "");
// `reportError` looks for this word.
if (options.json) process.argv.push("--json");
try {
  const workflow = await importWorkflow(file);
  process.exitCode = await tryWorkflow(workflow, { ...options, given: options.item?.map(parseItem) });
} catch (error) {
  process.exitCode = await reportError(error);
}
