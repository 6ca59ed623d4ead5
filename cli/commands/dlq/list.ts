import { Command, Option } from "commander";
import { passCode } from "../../dlq/scan-exit-code.ts";
import { look } from "../../dlq/scan-with-progress.ts";
import { EXIT } from "../../exit-code.ts";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";
import { positiveInteger } from "../../options/positive-integer.ts";
import { writeJson } from "../../screens/display.ts";
import { Listed } from "../../screens/dlq/dead-letter-list.ts";
import { LISTINGS, type Listing } from "../../screens/dlq/group-table.ts";
import { nextSteps } from "../../screens/next-steps.ts";
import { dlqTargets } from "../../targets/dead-letter-target.ts";
import { whileEngineRuns } from "../../targets/engine-ended.ts";
import type { Target } from "../../targets/target.ts";

interface ListOptions extends DeadLetterOptions {
  readonly by: Listing;
  readonly limit: number;
}

export const listCommand = withDlqOptions(
  withDeadLetterOptions(new Command("list")),
  "one JSON object a group (or dead letter), the last one of each workflow its totals",
)
  .summary("why items died: dead letters in groups")
  .description("Groups dead letters by their error, and names one of each group. Nothing is taken from the queue.")
  .addOption(new Option("--by <what>", "what is grouped by").choices(LISTINGS).default("error"))
  .option("--limit <n>", "groups or dead letters shown at the most", positiveInteger, 50)
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

Exit codes:
  0    listed, or there are none
  1    it could not be done
  2    only a part could be looked at: others hold some, or SQS lets no more be in flight
  3    no dead letter fits the filters
  130  interrupted: what was seen until then is shown

Examples:
  $ npx sluice dlq
  $ npx sluice dlq list --by run --since 2h
  $ npx sluice dlq list --by dead letter --reason permanent
  $ npx sluice dlq list --workflow cities --json
  $ npx sluice dlq list --stack sluice-cities --region eu-west-1`,
  )
  .action(async (options: ListOptions) => {
    const all: { readonly target: Target; readonly listed: Listed }[] = [];
    let code: number = EXIT.succeeded;
    let looked = 0;
    for await (const target of dlqTargets(options)) {
      const listed = new Listed(options.by, options);
      const result = await whileEngineRuns(target, () => look(target, (deadLetter) => listed.add(deadLetter)));
      if (options.json) for (const line of listed.toJson(target, result)) writeJson(line);
      else console.log(`${all.length === 0 ? "" : "\n"}${listed.toText(target, result)}`);
      all.push({ target, listed });
      looked += result.looked;
      const own = passCode(result, listed.meant);
      if (own !== EXIT.noneFits) code = Math.max(code, own);
      if (own === EXIT.interrupted) break;
    }
    const [first, another] = all.filter(({ listed }) => listed.meant > 0);
    if (first === undefined && looked > 0 && code === EXIT.succeeded) code = EXIT.noneFits;
    process.exitCode = code;
    if (first === undefined) return;
    const named = another === undefined ? options.workflow : first.target.workflow;
    if (!options.json) console.log(`\n${nextSteps(first.listed.steps(first.target, named))}`);
  });
