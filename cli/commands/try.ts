import { Command, Option } from "commander";
import { positiveInteger } from "../options/positive-integer.ts";

export interface TryOptions {
  readonly json: boolean;
  readonly items: number;
  /** The items as JSON, instead of those of the source. */
  readonly item?: readonly string[];
}

export const tryCommand = new Command("try")
  .description(
    "Reads the first page of a workflow's source, compares its fields with the schema, and runs the task for the first items. " +
      "Each item gets one attempt. The tasks are real: what they send is sent. Nothing is written into queues, the ledger or " +
      "dead letters.",
  )
  .argument("<workflow>", "the name of a workflow in workflows/, or the path of its file")
  .option("--items <n>", "run the task for this many items of the first page", positiveInteger, 5)
  .addOption(
    new Option("--item <json>", "run the task for this item, and read no source; can be repeated")
      .argParser(collect)
      .conflicts("items"),
  )
  .option("--json", "print one JSON object per line", false)
  .addHelpText(
    "after",
    `
Exit codes:
  0    every item succeeded
  1    the workflow could not be loaded, or its source could not be read
  2    an attempt failed, or asked to wait

Examples:
  $ npx sluice try cities
  $ npx sluice try ./workflows/invoices.ts --items 20
  $ npx sluice try invoices --item '{"id":"1","amount":"3.50"}'
  $ npx sluice try cities --items 1 --json`,
  )
  .action(async (workflow: string, options: TryOptions) => {
    const { tryHere } = await import("../try/try-here.ts");
    await tryHere(workflow, options);
  });

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
