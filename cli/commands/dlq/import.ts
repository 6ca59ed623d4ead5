import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { Command } from "commander";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import { type ImportResult, importDeadLetters } from "../../../shared/dead-letters/import.ts";
import { interruptible } from "../../dlq/interruptible.ts";
import { EXIT } from "../../exit-code.ts";
import { type DlqOptions, withDlqOptions } from "../../options/dead-letter-options.ts";
import { writeJson } from "../../screens/display.ts";
import { dlqCommand, placeOf } from "../../screens/dlq/command-line.ts";
import { Counting } from "../../screens/dlq/dead-letter-progress.ts";
import { passNotes } from "../../screens/dlq/scan-notes.ts";
import { count, plural, style } from "../../screens/format.ts";
import { nextSteps } from "../../screens/next-steps.ts";
import { remark, say } from "../../screens/paragraph.ts";
import { oneLine } from "../../screens/printable.ts";
import { withOneTarget } from "../../targets/dead-letter-target.ts";
import type { Target } from "../../targets/target.ts";

interface ImportCommandOptions extends DlqOptions {
  readonly dryRun: boolean;
}

/** Lines that are none, shown at the most. */
const INVALID_SHOWN = 10;

export const importCommand = withDlqOptions(new Command("import"), "one JSON object, with the counts")
  .summary("put exported dead letters back into the dead-letter queue")
  .description(
    "Puts dead letters of an export, or of a purge's backup, back. It may be repeated: those that are there already are left " +
      "out, and so are those whose items are at work again or have succeeded since.",
  )
  .argument("<file>", "as `dlq export` wrote it; - is the standard input")
  .option("--dry-run", "only say what would be put back", false)
  .addHelpText(
    "after",
    `
Exit codes:
  0    every dead letter is in the queue, or need not be
  1    it could not be done
  2    some lines are no dead letters, or were refused; or another command holds some of the queue, and nothing was put back
  130  interrupted: what was put back is said; type it again for the rest

Examples:
  $ npx sluice dlq import cities.jsonl
  $ npx sluice dlq import dead-letters-cities-20261125-081530.jsonl --dry-run
  $ jq -c 'select(.reason == "permanent")' cities.jsonl | npx sluice dlq import -`,
  )
  .action(async (path: string, options: ImportCommandOptions) => {
    if (path !== "-" && !existsSync(path)) throw new ConfigurationError(`there is no file ${path}`);
    await withOneTarget(options, [], async (target) => {
      const { result, interrupted } = await importFile(target, path, options);
      if (options.json)
        writeJson({ type: "imported", workflow: target.workflow, dryRun: options.dryRun, interrupted, ...result });
      else report(target, result, { ...options, interrupted });
      if (interrupted) process.exitCode = EXIT.interrupted;
      else if (result.invalidLines + result.refused > 0 || !result.pass.complete) process.exitCode = EXIT.partly;
    });
  });

async function importFile({ services, local, workflow }: Target, path: string, { dryRun }: ImportCommandOptions) {
  const counting = new Counting("Looking at");
  let interrupted = false;
  try {
    const result = await interruptible(
      (signal) =>
        importDeadLetters({
          deadLetterQueue: services.deadLetterQueue,
          ledger: services.ledger,
          workflow,
          lines: readLines(path, signal),
          dryRun,
          signal,
          exactCounts: local !== undefined,
          onProgress: (progress) => counting.showPass(progress),
          onImported: (imported) => {
            counting.turnTo("Putting back");
            counting.show(imported);
          },
        }),
      () => {
        interrupted = true;
      },
    );
    return { result, interrupted };
  } finally {
    counting.end();
  }
}

// Opened when they are asked for: lines that come before would be lost.
async function* readLines(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const input = path === "-" ? process.stdin : createReadStream(path);
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY, signal });
  } catch (cause) {
    throw new ConfigurationError(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function report(
  target: Target,
  { read, imported, alreadyThere, alreadyDone, atWork, invalid, invalidLines, refused, pass }: ImportResult,
  { dryRun, interrupted, ...options }: ImportCommandOptions & { readonly interrupted: boolean },
): void {
  const would = dryRun ? "would be" : imported === 1 ? "was" : "were";
  say(
    `${interrupted ? "Interrupted: " : ""}${plural(imported, "dead letter")} of ${read} ${would} put back into the ` +
      `dead-letter queue of ${placeOf(target)}.`,
  );
  const left: readonly (readonly [number, string])[] = [
    [alreadyThere, "there already"],
    [alreadyDone, "left out: the items have succeeded since"],
    [atWork, "left out: the items were redriven, and are at work"],
    [refused, "refused by SQS: type it again"],
    [invalidLines, "no dead letters of an export"],
  ];
  for (const [number, why] of left) if (number > 0) say(`  ${count(number)} ${why}`);
  for (const { line, message } of invalid.slice(0, INVALID_SHOWN))
    say(style("red", `    line ${line}: ${oneLine(message)}`));
  if (invalidLines > INVALID_SHOWN) console.log(`    … and ${invalidLines - INVALID_SHOWN} more`);
  const notes = passNotes(pass, {});
  for (const note of notes) remark(note);
  if (imported > 0 && !dryRun)
    console.log(`\n${nextSteps([[dlqCommand("list", target, options, options.workflow), "why they died"]])}`);
}
