import { Command } from "commander";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import { type ExportResult, exportDeadLetters } from "../../../shared/dead-letters/export.ts";
import { DeadLetterFile, type DeadLetterFormat, deadLetterWriter } from "../../dlq/export-file.ts";
import { isMeant } from "../../dlq/filter.ts";
import { interruptible } from "../../dlq/interruptible.ts";
import { passCode } from "../../dlq/scan-exit-code.ts";
import { EXIT } from "../../exit-code.ts";
import {
  DEAD_LETTER_HELP,
  type DeadLetterOptions,
  withDeadLetterOptions,
  withDlqOptions,
} from "../../options/dead-letter-options.ts";
import { writeJson } from "../../screens/display.ts";
import { placeOf } from "../../screens/dlq/command-line.ts";
import { Counting } from "../../screens/dlq/dead-letter-progress.ts";
import { noneOf } from "../../screens/dlq/scan-counts.ts";
import { passNotes } from "../../screens/dlq/scan-notes.ts";
import { plural } from "../../screens/format.ts";
import { remark, say } from "../../screens/paragraph.ts";
import { printable } from "../../screens/printable.ts";
import { withOneTarget } from "../../targets/dead-letter-target.ts";
import type { Target } from "../../targets/target.ts";

interface ExportCommandOptions extends DeadLetterOptions {
  readonly csv: boolean;
  readonly force: boolean;
}

export const exportCommand = withDlqOptions(
  withDeadLetterOptions(new Command("export")),
  "with a file: one JSON object, with its name and the count",
)
  .summary("write dead letters to a file, and leave them where they are")
  .description("Writes dead letters out as JSONL, which `dlq import` takes back. They stay in the queue.")
  .argument("[file]", "where to (default: the standard output)")
  .option("--csv", "as a table for spreadsheets; it cannot be imported", false)
  .option("--force", "replace the file, if it is there", false)
  .addHelpText(
    "after",
    `${DEAD_LETTER_HELP}

Exit codes:
  0    written
  1    it could not be done
  2    only a part could be looked at: others hold some, or SQS lets no more be in flight
  3    no dead letter fits the filters
  130  interrupted: the file is not there

Examples:
  $ npx sluice dlq export cities.jsonl
  $ npx sluice dlq export --reason permanent --csv > permanent.csv
  $ npx sluice dlq export | jq -r .item.id`,
  )
  .action(async (path: string | undefined, options: ExportCommandOptions) => {
    const format = options.csv ? "csv" : "jsonl";
    if (options.json && path === undefined && options.csv) {
      throw new ConfigurationError("--json and --csv exclude each other where no file is given");
    }
    await withOneTarget(options, [], async (target) => {
      const result =
        path === undefined ? await toOutput(target, format, options) : await toFile(target, path, format, options);
      const notes = passNotes(result, options);
      for (const note of notes) remark(note);
      process.exitCode = result.unread ? EXIT.succeeded : passCode(result, result.exported);
    });
  });

/** `unread`: the reader of the output closed it. */
type Exported = ExportResult & { readonly unread?: boolean };

async function toOutput(target: Target, format: DeadLetterFormat, options: DeadLetterOptions): Promise<Exported> {
  const toText = deadLetterWriter(format);
  // Whoever reads it may have had enough, as `head` has: then the dead letters are given back at once.
  const unread = new AbortController();
  process.stdout.once("error", () => unread.abort());
  const result = await write(target, options, unread.signal, async (deadLetters) => {
    const text = toText(deadLetters);
    // What is JSON has nothing in it that would steer a terminal.
    process.stdout.write(process.stdout.isTTY && format === "csv" ? printable(text) : text);
  });
  if (unread.signal.aborted) return { ...result, stoppedBy: undefined, heldElsewhere: 0, unread: true };
  if (result.exported === 0 && result.stoppedBy === undefined) remark(noneOf(target, result));
  return result;
}

async function toFile(
  target: Target,
  path: string,
  format: DeadLetterFormat,
  options: ExportCommandOptions,
): Promise<Exported> {
  const file = await DeadLetterFile.create(path, { format, force: options.force });
  let result: ExportResult | undefined;
  try {
    result = await write(target, options, undefined, (deadLetters) => file.write(deadLetters));
  } finally {
    if (result === undefined || result.exported === 0 || result.stoppedBy === "interruption") await file.discard();
    else await file.finish();
  }
  const { exported, heldElsewhere, approximate, complete, stoppedBy } = result;
  const written = exported > 0 && stoppedBy !== "interruption";
  if (options.json)
    writeJson({
      type: "exported",
      workflow: target.workflow,
      file: written ? path : null,
      deadLetters: written ? exported : 0,
      complete,
      heldElsewhere,
      approximate,
      stoppedBy: stoppedBy ?? null,
    });
  else if (written) say(`${plural(exported, "dead letter")} of ${placeOf(target)} written to ${path}`);
  else remark(stoppedBy === undefined ? noneOf(target, result) : `${path} was not written.`);
  return result;
}

async function write(
  { services, local }: Target,
  options: DeadLetterOptions,
  unread: AbortSignal | undefined,
  writeDeadLetters: Parameters<typeof exportDeadLetters>[0]["write"],
): Promise<ExportResult> {
  const counting = new Counting("Exporting");
  try {
    return await interruptible((interrupted) =>
      exportDeadLetters({
        deadLetterQueue: services.deadLetterQueue,
        select: (deadLetter) => isMeant(deadLetter, options),
        write: writeDeadLetters,
        signal: unread === undefined ? interrupted : AbortSignal.any([interrupted, unread]),
        exactCounts: local !== undefined,
        onProgress: (progress) => counting.showPass(progress),
      }),
    );
  } finally {
    counting.end();
  }
}
