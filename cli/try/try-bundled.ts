/** What `sluice try` runs, with the workflow, in one bundle: to load one file takes a fifth of the time of loading all modules. */
import * as module from "#workflow";
import { workflowIn } from "../../shared/bundling/workflow-in.ts";
import { type TrySettings, tryWorkflow } from "./try-workflow.ts";

/** @param file The workflow's file. Errors name it. */
export const tryBundled = async (file: string, settings: TrySettings): Promise<number> =>
  await tryWorkflow(workflowIn(module, file), settings);
