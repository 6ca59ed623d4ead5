import { Command } from "commander";
import { findLetters } from "../../../shared/dead-letters/browse.ts";
import type { Letter } from "../../../shared/dead-letters/letter.ts";
import { widthOf } from "../../columns.ts";
import { writeJson } from "../../display.ts";
import { dlqCommand, placeOf } from "../../dlq/command-words.ts";
import { withOneTarget } from "../../dlq/dlq-target.ts";
import { type DlqOptions, withDlqOptions } from "../../dlq/letter-options.ts";
import { type LetterRun, letterView } from "../../dlq/letter-view.ts";
import { shortId } from "../../dlq/letter-words.ts";
import { nextSteps } from "../../dlq/next-steps.ts";
import type { Target } from "../../target.ts";

export const showCommand = withDlqOptions(new Command("show"), "one JSON object, with the message's body")
  .summary("one dead letter: its item, its history, its stacks")
  .description("Shows a dead letter whole. Nothing is taken from the queue.")
  .argument("<id>", "the letter's id, or how it begins")
  .addHelpText(
    "after",
    `
Exit codes:
  0    shown
  1    there is no such letter, or it could not be done
  2    another command holds some dead letters, and it is none of those that could be looked at

Examples:
  $ npx sluice dlq show 8c1f02ab
  $ npx sluice dlq show 8c1f02ab --json | jq .item
  $ npx sluice dlq show 8c1f02ab --stack sluice-cities`,
  )
  .action(async (id: string, options: DlqOptions) => {
    await withOneTarget(options, [id], async (target) => {
      const letter = await find(target, id);
      if (options.json) {
        writeJson({ type: "letter", ...letter });
        return;
      }
      console.log(letterView(letter, placeOf(target), await runOf(target, letter), widthOf(process.stdout)));
      const command = (words: string) => dlqCommand(words, target, options, options.workflow);
      const short = shortId(letter.id);
      console.log(
        `\n${nextSteps([
          [command(`redrive ${short}`), "send it back"],
          [command(`redrive ${short} --edit`), `mend its ${letter.kind === "foreign" ? "body" : "item"} first`],
          [command(`list --error ${letter.fingerprint.id} --by letter`), "those with the same error"],
        ])}`,
      );
    });
  });

async function find({ services, local }: Target, id: string): Promise<Letter> {
  const [letter] = await findLetters(services.deadLetterQueue, [id], { exactCounts: local !== undefined });
  if (letter === undefined) throw new Error(`the letter ${id} was neither found nor missed`);
  return letter;
}

async function runOf({ services }: Target, { run: id }: Letter): Promise<LetterRun | undefined> {
  const run = id === null ? undefined : await services.runs.find(id);
  return run === undefined ? undefined : { run, counts: await services.runs.counts(run) };
}
