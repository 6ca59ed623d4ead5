/** The process in which a run of a workflow with a companion is planned. See `inCompanionChild`. */
import { reportError } from "../screens/error.ts";
import { planFile } from "./plan-file.ts";
import type { PlanSettings } from "./plan-workflow.ts";

const { file, options }: { readonly file: string; readonly options: PlanSettings } = JSON.parse(process.argv[2] ?? "");
// `reportError` looks for this word.
if (options.json) process.argv.push("--json");
try {
  process.exitCode = await planFile(file, options);
} catch (error) {
  process.exitCode = await reportError(error);
}
