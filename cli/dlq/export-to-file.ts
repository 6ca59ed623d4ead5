import { ConfigurationError } from "../../shared/base/errors.ts";
import { type ExportResult, exportDeadLetters } from "../../shared/dead-letters/export.ts";
import type { ExportOptions } from "../commands/dlq/export.ts";
import { EXIT } from "../exit-code.ts";
import type { DeadLetterOptions } from "../options/dead-letter-options.ts";
import { placeOf } from "../screens/dlq/command-line.ts";
import { DeadLetterProgress } from "../screens/dlq/dead-letter-progress.ts";
import { noneMatchesText } from "../screens/dlq/scan-counts.ts";
import { scanNotes } from "../screens/dlq/scan-notes.ts";
import { plural } from "../screens/format.ts";
import { remark, say } from "../screens/paragraph.ts";
import { printable } from "../screens/printable.ts";
import { writeJson } from "../screens/write-json.ts";
import { withOneTarget } from "../targets/dead-letter-target.ts";
import type { Target } from "../targets/target.ts";
import { ExportFile, type ExportFormat, exportWriter } from "./export-file.ts";
import { matches } from "./filter.ts";
import { interruptible } from "./interruptible.ts";
import { scanExitCode } from "./scan-exit-code.ts";

/** Writes dead letters to a file or to the standard output, and sets the exit code. */
export async function exportToFile(path: string | undefined, options: ExportOptions): Promise<void> {
  const format = options.csv ? "csv" : "jsonl";
  if (options.json && path === undefined && options.csv) {
    throw new ConfigurationError(
      "--json and --csv cannot be used together without a file: name a file, or leave one of them out",
    );
  }
  await withOneTarget(options, [], async (target) => {
    const result =
      path === undefined ? await toOutput(target, format, options) : await toFile(target, path, format, options);
    for (const note of scanNotes(result, options)) remark(note);
    process.exitCode = result.outputClosed ? EXIT.succeeded : scanExitCode(result, result.exported);
  });
}

/** `outputClosed`: the reader of the standard output closed it before the end, as `head` does. */
type Exported = ExportResult & { readonly outputClosed?: boolean };

async function toOutput(target: Target, format: ExportFormat, options: DeadLetterOptions): Promise<Exported> {
  const toText = exportWriter(format);
  // Once the reader closes the output, the scan ends and all dead letters become visible again at once.
  const outputClosed = new AbortController();
  process.stdout.once("error", () => outputClosed.abort());
  const result = await write(target, options, outputClosed.signal, async (deadLetters) => {
    const text = toText(deadLetters);
    // JSONL is already escaped. CSV keeps what others wrote, which could send control sequences to the terminal.
    process.stdout.write(process.stdout.isTTY && format === "csv" ? printable(text) : text);
  });
  if (outputClosed.signal.aborted) return { ...result, stoppedBy: undefined, heldElsewhere: 0, outputClosed: true };
  if (result.exported === 0 && result.stoppedBy === undefined) remark(noneMatchesText(target, result));
  return result;
}

async function toFile(target: Target, path: string, format: ExportFormat, options: ExportOptions): Promise<Exported> {
  const file = await ExportFile.create(path, { format, force: options.force });
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
  else remark(stoppedBy === undefined ? noneMatchesText(target, result) : `${path} was not written.`);
  return result;
}

async function write(
  { services, local }: Target,
  options: DeadLetterOptions,
  outputClosed: AbortSignal | undefined,
  writeSome: Parameters<typeof exportDeadLetters>[0]["write"],
): Promise<ExportResult> {
  const shown = new DeadLetterProgress("Exporting");
  try {
    return await interruptible((interrupted) =>
      exportDeadLetters({
        deadLetterQueue: services.deadLetterQueue,
        select: (deadLetter) => matches(deadLetter, options),
        write: writeSome,
        signal: outputClosed === undefined ? interrupted : AbortSignal.any([interrupted, outputClosed]),
        exactCounts: local !== undefined,
        onProgress: (progress) => shown.showScan(progress),
      }),
    );
  } finally {
    shown.end();
  }
}
