import { ConfigurationError } from "../../shared/base/errors.ts";
import type { StartOptions } from "../commands/start.ts";
import { say } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { targets } from "../targets/find-run.ts";
import { stackFlag } from "../targets/target.ts";
import { newRunId } from "./new-run-id.ts";
import { newStart } from "./new-start.ts";
import { runHere } from "./run-here.ts";

/** Starts a run in a deployed stack. Without options that name a stack, runs the workflow on this machine. */
export async function startRun(name: string | undefined, options: StartOptions): Promise<void> {
  const { region, profile, items, json } = options;
  if (options.stack === undefined && region === undefined && profile === undefined) {
    if (name === undefined) throw new ConfigurationError("name the workflow: npx sluice start <workflow>");
    return await runHere(name, { json, ...(items !== undefined && { items }) });
  }
  const names: string[] = [];
  for await (const { workflow, where, services, stack } of targets({ ...options, holding: name })) {
    names.push(workflow);
    if (name !== undefined && name !== workflow) continue;
    const run = newRunId();
    await services.controlQueue.sendControl(newStart({ workflow, run, limit: items }));
    if (json) writeJson({ type: "requested", workflow, run, stack: stack ?? null });
    else {
      say(
        `Run ${run} of ${workflow} was requested on ${where}. Watch it with: npx sluice status ${run}${stackFlag({ stack })} --watch`,
      );
    }
    return;
  }
  throw new ConfigurationError(`the stack has no workflow "${name}". It has: ${names.join(", ")}`);
}
