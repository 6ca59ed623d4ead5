import { findDeadLetters } from "../../shared/dead-letters/browse.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { DlqOptions } from "../options/dead-letter-options.ts";
import { dlqCommand, placeOf } from "../screens/dlq/command-line.ts";
import { type DeadLetterRun, deadLetterDetails } from "../screens/dlq/dead-letter-details.ts";
import { shortId } from "../screens/dlq/dead-letter-text.ts";
import { nextSteps } from "../screens/next-steps.ts";
import { widthOf } from "../screens/terminal-width.ts";
import { writeJson } from "../screens/write-json.ts";
import { withOneTarget } from "../targets/dead-letter-target.ts";
import type { Target } from "../targets/target.ts";

/** Shows one dead letter, and what can be done with it. */
export async function showDeadLetter(id: string, options: DlqOptions): Promise<void> {
  await withOneTarget(options, [id], async (target) => {
    const deadLetter = await find(target, id);
    if (options.json) {
      writeJson({ type: "deadLetter", ...deadLetter });
      return;
    }
    const run = await runOf(target, deadLetter);
    console.log(deadLetterDetails(deadLetter, placeOf(target), run, widthOf(process.stdout)));
    const command = (words: string) => dlqCommand(words, target, options, options.workflow);
    const short = shortId(deadLetter.id);
    const steps = nextSteps([
      [command(`redrive ${short}`), "send it back"],
      [
        command(`redrive ${short} --edit`),
        `fix its ${deadLetter.kind === "foreign" ? "body" : "item"}, then send it back`,
      ],
      [command(`list --error ${deadLetter.fingerprint.id} --by dead-letter`), "list all with the same error"],
    ]);
    console.log(`\n${steps}`);
  });
}

async function find({ services, local }: Target, id: string): Promise<DeadLetter> {
  const [deadLetter] = await findDeadLetters(services.deadLetterQueue, [id], { exactCounts: local !== undefined });
  // `findDeadLetters` returns one for each id, or throws.
  if (deadLetter === undefined) throw new Error(`the dead letter ${id} was neither returned nor reported as missing`);
  return deadLetter;
}

async function runOf({ services }: Target, { run: id }: DeadLetter): Promise<DeadLetterRun | undefined> {
  const run = id === null ? undefined : await services.runs.find(id);
  return run === undefined ? undefined : { run, counts: await services.runs.counts(run) };
}
