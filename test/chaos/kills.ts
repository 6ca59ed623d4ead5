/**
 * Kills `sluice run seconds` with all its processes at random moments, and continues the run with `sluice resume`:
 * `npm run kills -- --help`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { type KillResult, killAndResume } from "./killed-run.ts";
import { writeResult } from "./page.ts";
import { Random } from "./random.ts";

interface Options {
  readonly runs: number;
  readonly seed: number;
  readonly after: number | undefined;
  readonly json: boolean;
  readonly write: boolean;
}

/** About the time from the start of the command to the end of its run. */
const SPAN_SECONDS = 22;

const { runs, seed, after, json, write } = new Command("kills")
  .description("Kills `sluice run seconds` at random moments, and goes on with `sluice resume`.")
  .option("--runs <number>", "how many, each killed in its share of the run's time", positive, 10)
  .option("--seed <number>", "of the moments", positive, 1)
  .option("--after <seconds>", "one run alone, killed so long after its start", positive)
  .option("--json", "one JSON object a run", false)
  .option("--write", "put the result into docs/internals/reliability.md", false)
  .parse()
  .opts<Options>();

const random = new Random(seed);
// One kill in each equal part of the run's time, so that no phase is missed by chance.
const moments =
  after === undefined
    ? Array.from({ length: runs }, (_, run) => ((run + random.next()) / runs) * SPAN_SECONDS)
    : [after];
const results: KillResult[] = [];
for (const moment of moments) {
  const directory = mkdtempSync(join(tmpdir(), "sluice-kills-"));
  const result = await killAndResume(moment, directory);
  results.push(result);
  if (json) console.log(JSON.stringify(result));
  else console.error(`${results.length}/${moments.length} ${describe(result)}`);
  if (result.wrong === undefined) rmSync(directory, { recursive: true, force: true });
  else console.error(`  ${result.wrong}   (left behind: ${directory})`);
}
const lines = results.map(
  ({ killedAfterSeconds, processes, settledBefore, succeeded, resumedSeconds, wrong }) =>
    `| ${killedAfterSeconds.toFixed(1)} s | ${processes} | ${settledBefore} | ${succeeded} | ${resumedSeconds.toFixed(1)} s | ${wrong ?? "–"} |`,
);
const table = [
  "| killed after | processes killed | done before | done in the end | resumed for | wrong |",
  "| ---: | ---: | ---: | ---: | ---: | --- |",
  ...lines,
].join("\n");
if (!json) console.log(table);
if (write) writeResult("kills", `npm run kills -- --runs ${runs} --seed ${seed}`, table);
process.exitCode = results.every(({ wrong }) => wrong === undefined) ? 0 : 1;

function describe({
  killedAfterSeconds,
  processes,
  settledBefore,
  succeeded,
  resumedSeconds,
  wrong,
}: KillResult): string {
  const verdict = wrong === undefined ? "ok" : "WRONG";
  return (
    `${verdict}: killed after ${killedAfterSeconds.toFixed(2)} s (${processes} processes, ${settledBefore} done), ` +
    `${succeeded} done after resuming for ${resumedSeconds.toFixed(1)} s`
  );
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("It must be a number above 0.");
}
