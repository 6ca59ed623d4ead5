import { Command } from "commander";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { positiveInteger } from "../options/positive-integer.ts";
import { type TargetOptions, withTargetOptions } from "../options/target-options.ts";
import { newRunId } from "../runs/new-run-id.ts";
import { newStart } from "../runs/new-start.ts";
import { writeJson } from "../screens/display.ts";
import { say } from "../screens/paragraph.ts";
import { targets } from "../targets/find-run.ts";
import { stackFlag } from "../targets/target.ts";
import { runHere } from "./run.ts";

interface StartOptions extends TargetOptions {
  readonly json: boolean;
  readonly items?: number;
}

export const startCommand = withTargetOptions(new Command("start"))
  .summary("start a run of a deployed workflow")
  .description(
    "Starts a run of a workflow in a deployed stack, and returns. Without --stack it is this machine that is meant: then " +
      "it does what `sluice run` does.",
  )
  .argument("[workflow]", "the workflow's name (default: the only one of the stack)")
  .option("--items <n>", "items at the most (default: as the workflow says)", positiveInteger)
  .option("--json", "one JSON object, with the run's id", false)
  .addHelpText(
    "after",
    "\nExamples:\n  $ npx sluice start cities --stack\n  $ npx sluice start cities --stack sluice-cities --items 100",
  )
  .action(async (name: string | undefined, options: StartOptions) => {
    const { region, profile, items, json } = options;
    if (options.stack === undefined && region === undefined && profile === undefined) {
      if (name === undefined) throw new ConfigurationError("say which workflow: npx sluice start <workflow>");
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
          `Run ${run} of ${workflow} was asked for in ${where}: npx sluice status ${run}${stackFlag({ stack })} --watch shows it.`,
        );
      }
      return;
    }
    throw new ConfigurationError(`the stack has no workflow "${name}": it has ${names.join(", ")}`);
  });
