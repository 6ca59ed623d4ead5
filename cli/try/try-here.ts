import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { TryOptions } from "../commands/try.ts";
import { findWorkflow } from "../targets/workflow-file.ts";
import { tryFile } from "./try-file.ts";

const CHILD = fileURLToPath(new URL(`./try-child${extname(import.meta.url)}`, import.meta.url));

/** Tries a workflow on this machine, and sets the exit code. */
export async function tryHere(name: string, options: TryOptions): Promise<void> {
  const { file, companion } = await findWorkflow(name);
  if (companion === undefined) process.exitCode = await tryFile(file, options);
  else {
    const { inCompanionChild } = await import("../targets/companion-child.ts");
    process.exitCode = await inCompanionChild(companion, CHILD, { file, options });
  }
}
