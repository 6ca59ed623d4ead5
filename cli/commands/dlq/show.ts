import { Command } from "commander";
import { findDeadLetters } from "../../../shared/dead-letters/browse.ts";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { type DlqOptions, withDlqOptions } from "../../options/dead-letter-options.ts";
import { widthOf } from "../../screens/columns.ts";
import { writeJson } from "../../screens/display.ts";
import { dlqCommand, placeOf } from "../../screens/dlq/command-line.ts";
import { type DeadLetterRun, deadLetterView } from "../../screens/dlq/dead-letter-details.ts";
import { shortId } from "../../screens/dlq/dead-letter-text.ts";
import { nextSteps } from "../../screens/next-steps.ts";
import { withOneTarget } from "../../targets/dead-letter-target.ts";
import type { Target } from "../../targets/target.ts";

export const showCommand = withDlqOptions(new Command("show"), "one JSON object, with the message's body")
  .summary("one dead letter: its item, its history, its stacks")
  .description("Shows a dead letter whole. Nothing is taken from the queue.")
  .argument("<id>", "the dead letter's id, or how it begins")
  .addHelpText(
    "after",
    `
Exit codes:
  0    shown
  1    there is no such dead letter, or it could not be done
  2    another command holds some dead letters, and it is none of those that could be looked at

Examples:
  $ npx sluice dlq show 8c1f02ab
  $ npx sluice dlq show 8c1f02ab --json | jq .item
  $ npx sluice dlq show 8c1f02ab --stack sluice-cities`,
  )
  .action(async (id: string, options: DlqOptions) => {
    await withOneTarget(options, [id], async (target) => {
      const deadLetter = await find(target, id);
      if (options.json) {
        writeJson({ type: "deadLetter", ...deadLetter });
        return;
      }
      console.log(
        deadLetterView(deadLetter, placeOf(target), await runOf(target, deadLetter), widthOf(process.stdout)),
      );
      const command = (words: string) => dlqCommand(words, target, options, options.workflow);
      const short = shortId(deadLetter.id);
      console.log(
        `\n${nextSteps([
          [command(`redrive ${short}`), "send it back"],
          [command(`redrive ${short} --edit`), `mend its ${deadLetter.kind === "foreign" ? "body" : "item"} first`],
          [command(`list --error ${deadLetter.fingerprint.id} --by dead-letter`), "those with the same error"],
        ])}`,
      );
    });
  });

async function find({ services, local }: Target, id: string): Promise<DeadLetter> {
  const [deadLetter] = await findDeadLetters(services.deadLetterQueue, [id], { exactCounts: local !== undefined });
  if (deadLetter === undefined) throw new Error(`the dead letter ${id} was neither found nor missed`);
  return deadLetter;
}

async function runOf({ services }: Target, { run: id }: DeadLetter): Promise<DeadLetterRun | undefined> {
  const run = id === null ? undefined : await services.runs.find(id);
  return run === undefined ? undefined : { run, counts: await services.runs.counts(run) };
}
