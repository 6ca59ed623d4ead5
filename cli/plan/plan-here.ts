import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { findWorkflow } from "../targets/workflow-file.ts";
import { planFile } from "./plan-file.ts";
import type { PlanSettings } from "./plan-workflow.ts";

const CHILD = fileURLToPath(new URL(`./plan-child${extname(import.meta.url)}`, import.meta.url));

/** Plans a run of a workflow on this machine, and sets the exit code. */
export async function planHere(name: string, options: PlanSettings): Promise<void> {
  const { file, companion } = await findWorkflow(name);
  if (companion === undefined) process.exitCode = await planFile(file, options);
  else {
    const { inCompanionChild } = await import("../targets/companion-child.ts");
    process.exitCode = await inCompanionChild(companion, CHILD, { file, options });
  }
}
