import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mutant } from "./mutants.ts";
import { DIRECTORY } from "./process.ts";

/**
 * - `killed`: a test fails with the mutant, and passes without it.
 * - `timed out`: with the mutant, a test never ends. This counts as killed.
 * - `survived`: all tests that run its code pass.
 * - `unfinished`: no test has noticed it yet, and some have not met it, because `npm run mutation` was interrupted. This counts
 *   as survived.
 * - `not covered`: no test runs its code. This counts as survived.
 * - `outside`: its code runs only while modules are loaded, where a mutant cannot be activated. Left out of the score.
 * - `text`: it changes a sentence that only people read. Not tested, and left out of the score.
 */
export type Verdict = "killed" | "timed out" | "survived" | "unfinished" | "not covered" | "outside" | "text";

export interface Result extends Mutant {
  readonly verdict: Verdict;
  /** The commit whose tests have given the verdict. */
  readonly commit: string;
}

const VERDICTS: readonly Verdict[] = [
  "killed",
  "timed out",
  "survived",
  "unfinished",
  "not covered",
  "outside",
  "text",
];

/** Prints the score of each file of a folder, and writes all results and the mutants that survived into files. */
export function report(folder: string, results: readonly Result[]): void {
  const byFile = Map.groupBy(results, (result) => result.file);
  console.log(["", "score %", ...VERDICTS].join("\t"));
  for (const [name, of] of byFile) console.log(row(name, of));
  console.log(row(`all of ${folder}`, results));
  save(folder, results);
  const survivors = results.filter(({ verdict }) => verdict === "survived" || verdict === "not covered");
  const file = join(DIRECTORY, `${folder.replaceAll("/", "-")}.txt`);
  writeFileSync(file, survivors.map(describe).join("\n"));
  console.log(`The survivors are in ${file}.`);
}

/** Keeps the verdicts for `--survivors`. */
export const save = (folder: string, results: readonly Result[]): void =>
  writeFileSync(resultsFile(folder), JSON.stringify(results));

/** The results of the last test of a folder. */
export const readResults = (folder: string): readonly Result[] =>
  existsSync(resultsFile(folder)) ? JSON.parse(readFileSync(resultsFile(folder), "utf8")) : [];

const resultsFile = (folder: string) => join(DIRECTORY, `${folder.replaceAll("/", "-")}.results.json`);

/**
 * The results of the last test of a folder, by the ids that the mutants have now. A mutant is known again by its code. What
 * was found before its file changed does not count.
 */
export function earlierResults(folder: string, mutants: readonly Mutant[]): Map<string, Result> {
  const known = new Map(signed(readResults(folder)));
  return new Map(
    signed(mutants).flatMap(([signature, { id }]): [string, Result][] => {
      const result = known.get(signature);
      return result === undefined ? [] : [[id, result]];
    }),
  );
}

function signed<M extends Mutant>(mutants: readonly M[]): readonly [string, M][] {
  const seen = new Map<string, number>();
  return mutants.map((mutant) => {
    const { file, content, kind, original, replacement } = mutant;
    const code = [file, content, kind, original, replacement].join("\n");
    const number = (seen.get(code) ?? 0) + 1;
    seen.set(code, number);
    return [`${code}\n${number}`, mutant];
  });
}

/** Whether a test has noticed the mutant. */
export const isKilled = (verdict: Verdict | undefined): boolean => verdict === "killed" || verdict === "timed out";

const counter = (results: readonly Result[]) => (verdict: Verdict) =>
  results.filter((result) => result.verdict === verdict).length;

/** The share of mutants that were killed, in percent. */
export function scoreOf(results: readonly Result[]): string {
  const count = counter(results);
  const killed = count("killed") + count("timed out");
  const all = results.length - count("outside") - count("text");
  return all === 0 ? "–" : ((100 * killed) / all).toFixed(1);
}

const row = (name: string, results: readonly Result[]): string =>
  [name, scoreOf(results), ...VERDICTS.map(counter(results))].join("\t");

const describe = ({ file, line, kind, original, replacement, verdict }: Result): string =>
  `${file}:${line} ${kind}, ${verdict}\n- ${shown(original)}\n+ ${shown(replacement)}\n`;

const shown = (code: string): string => code.replaceAll(/\s+/g, " ").slice(0, 240);
