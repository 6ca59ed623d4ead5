/** What `sluice plan` runs, with the workflow, in one bundle: to load one file takes a fifth of the time of loading all modules. */
import * as module from "#workflow";
import { workflowIn } from "../../shared/bundling/workflow-in.ts";
import { type PlanSettings, planWorkflow } from "./plan-workflow.ts";

/** @param file The workflow's file. Errors name it. */
export const planBundled = async (file: string, settings: PlanSettings): Promise<number> =>
  await planWorkflow(workflowIn(module, file), settings);
