import { findDeadLetters } from "../../shared/dead-letters/browse.ts";
import type { DeadLetter } from "../../shared/dead-letters/read-dead-letter.ts";
import type { ShowOptions } from "../commands/dlq/show.ts";
import { dlqCommand, placeOf } from "../screens/dlq/command-line.ts";
import { type DeadLetterRun, deadLetterDetails, deadLetterHeadline } from "../screens/dlq/dead-letter-details.ts";
import { shortId } from "../screens/dlq/dead-letter-text.ts";
import { nextSteps, type Step } from "../screens/next-steps.ts";
import { say } from "../screens/paragraph.ts";
import { linesOf, roomOf, widthOf } from "../screens/terminal-width.ts";
import { writeJson } from "../screens/write-json.ts";
import { withOneTarget } from "../targets/dead-letter-target.ts";
import type { Target } from "../targets/target.ts";

/** Shows one dead letter, or the latest of a group, and what can be done with it. */
export async function showDeadLetter(id: string, options: ShowOptions): Promise<void> {
  await withOneTarget(options, [id], async (target) => {
    const deadLetter = await find(target, id);
    if (options.json) {
      writeJson({ type: "deadLetter", ...deadLetter });
      return;
    }
    const isOfGroup = !deadLetter.id.startsWith(id);
    if (isOfGroup) say(`${id} is the id of a group. This is the dead letter of the group whose item died last:\n`);
    const run = await runOf(target, deadLetter);
    const width = widthOf(process.stdout);
    const whole = deadLetterDetails(deadLetter, placeOf(target), run, { width });
    const room = roomOf(process.stdout);
    const isShort = room !== undefined && !options.full;
    const details = isShort ? deadLetterDetails(deadLetter, placeOf(target), run, { width, isShort }) : whole;
    const isCut = details !== whole;
    const text = `${details}\n\n${nextSteps(stepsOf(deadLetter, target, options, isCut))}`;
    console.log(text);
    // The first lines have scrolled away.
    if (room !== undefined && linesOf(text) > room) console.log(`\n${deadLetterHeadline(deadLetter, width)}`);
  });
}

/** Commands that the user can type next. */
function stepsOf(
  { id, kind, fingerprint }: DeadLetter,
  target: Target,
  options: ShowOptions,
  isCut: boolean,
): readonly Step[] {
  const command = (words: string) => dlqCommand(words, target, options, options.workflow);
  const short = shortId(id);
  return [
    ...(isCut ? [[command(`show ${short} --full`), "show the long parts whole"] as const] : []),
    [command(`redrive ${short}`), "send it back"],
    [command(`redrive ${short} --edit`), `fix its ${kind === "foreign" ? "body" : "item"}, then send it back`],
    [command(`list --error ${fingerprint.id} --by dead-letter`), "list all with the same error"],
  ];
}

async function find({ services, local }: Target, id: string): Promise<DeadLetter> {
  const [deadLetter] = await findDeadLetters(services.deadLetterQueue, [id], {
    exactCounts: local !== undefined,
    findsGroups: true,
  });
  // `findDeadLetters` returns one for each id, or throws.
  if (deadLetter === undefined) throw new Error(`the dead letter ${id} was neither returned nor reported as missing`);
  return deadLetter;
}

async function runOf({ services }: Target, { run: id }: DeadLetter): Promise<DeadLetterRun | undefined> {
  const run = id === null ? undefined : await services.runs.find(id);
  return run === undefined ? undefined : { run, counts: await services.runs.counts(run) };
}
