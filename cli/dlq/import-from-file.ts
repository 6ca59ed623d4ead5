import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { type ImportResult, importDeadLetters } from "../../shared/dead-letters/import.ts";
import type { ImportOptions } from "../commands/dlq/import.ts";
import { EXIT } from "../exit-code.ts";
import { dlqCommand, placeOf } from "../screens/dlq/command-line.ts";
import { DeadLetterProgress } from "../screens/dlq/dead-letter-progress.ts";
import { scanNotes } from "../screens/dlq/scan-notes.ts";
import { count, plural, style } from "../screens/format.ts";
import { nextSteps } from "../screens/next-steps.ts";
import { remark, say } from "../screens/paragraph.ts";
import { oneLine } from "../screens/printable.ts";
import { writeJson } from "../screens/write-json.ts";
import { withOneTarget } from "../targets/dead-letter-target.ts";
import type { Target } from "../targets/target.ts";
import { interruptible } from "./interruptible.ts";

/** How many invalid lines are shown with their reason. */
const INVALID_SHOWN = 10;

/** Puts the dead letters of a file back into the dead-letter queue, and sets the exit code. */
export async function importFromFile(path: string, options: ImportOptions): Promise<void> {
  if (path !== "-" && !existsSync(path)) throw new ConfigurationError(`there is no file ${path}: check the path`);
  await withOneTarget(options, [], async (target) => {
    const { result, interrupted } = await importLines(target, path, options);
    if (options.json)
      writeJson({ type: "imported", workflow: target.workflow, dryRun: options.dryRun, interrupted, ...result });
    else report(target, result, { ...options, interrupted });
    if (interrupted) process.exitCode = EXIT.interrupted;
    else if (result.invalidLines + result.refused > 0 || !result.scan.complete) process.exitCode = EXIT.partly;
  });
}

async function importLines({ services, local, workflow }: Target, path: string, { dryRun }: ImportOptions) {
  const shown = new DeadLetterProgress("Reading");
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
          onProgress: (progress) => shown.showScan(progress),
          onImported: (imported) => {
            shown.turnTo("Putting back");
            shown.show(imported);
          },
        }),
      () => {
        interrupted = true;
      },
    );
    return { result, interrupted };
  } finally {
    shown.end();
  }
}

// The file is opened when its first line is requested. `createInterface` would lose lines that are read earlier.
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
  { read, imported, alreadyThere, alreadyDone, atWork, invalid, invalidLines, refused, scan }: ImportResult,
  { dryRun, interrupted, ...options }: ImportOptions & { readonly interrupted: boolean },
): void {
  const were = dryRun ? "would be" : imported === 1 ? "was" : "were";
  say(
    `${interrupted ? "Interrupted: " : ""}${plural(imported, "dead letter")} of ${read} ${were} put back into the ` +
      `dead-letter queue of ${placeOf(target)}.`,
  );
  const others: readonly (readonly [number, string])[] = [
    [alreadyThere, "skipped: already in the queue"],
    [alreadyDone, "skipped: the items have succeeded since"],
    [atWork, "skipped: the items were redriven, and are pending"],
    [refused, "refused by SQS: run this command again"],
    [invalidLines, "invalid: these lines are not exported dead letters"],
  ];
  for (const [number, why] of others) if (number > 0) say(`  ${count(number)} ${why}`);
  for (const { line, message } of invalid.slice(0, INVALID_SHOWN))
    say(style("red", `    line ${line}: ${oneLine(message)}`));
  if (invalidLines > INVALID_SHOWN) console.log(`    … and ${invalidLines - INVALID_SHOWN} more`);
  for (const note of scanNotes(scan, {})) remark(note);
  if (imported > 0 && !dryRun)
    console.log(`\n${nextSteps([[dlqCommand("list", target, options, options.workflow), "show why the items died"]])}`);
}
