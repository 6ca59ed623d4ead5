/**
 * Writes the scores into `docs/internals/reliability.md`, and the survivors into `docs/internals/surviving-mutants.md`:
 * `node tools/mutation/survivors.ts`. It reads what `npm run mutation` has found last.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { AREAS } from "./areas.ts";
import { REASONS } from "./reasons.ts";
import { type Result, readResults, scoreOf } from "./report.ts";

const SCORES = "docs/internals/reliability.md";
const SURVIVORS = "docs/internals/surviving-mutants.md";
const UNTESTED = "No test notices the change, and it is not yet known whether one should.";

const areas = AREAS.map(({ folder }) => ({ folder, results: readResults(folder) }));
const all = areas.flatMap(({ results }) => results);
const isScored = ({ verdict }: Result) => verdict !== "outside" && verdict !== "text";
const isSurvivor = ({ verdict }: Result) =>
  verdict === "survived" || verdict === "not covered" || verdict === "unfinished";
const count = (results: readonly Result[], ...verdicts: readonly string[]) =>
  results.filter(({ verdict }) => verdicts.includes(verdict)).length.toLocaleString("en");

const row = (name: string, results: readonly Result[]) =>
  `| ${name} | ${scoreOf(results)} % | ${count(results, "killed", "timed out")} | ${count(results, "survived", "not covered")} | ` +
  `${count(results, "unfinished")} | ` +
  `${count(results, "outside")} | ${count(results, "text")} |`;

const table = [
  "| folder | score | noticed | not noticed | not tested to the end | left out: run only while modules are loaded | left out: texts for people |",
  "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
  ...areas.map(({ folder, results }) => row(`\`${folder}\``, results)),
  row("**all**", all),
].join("\n");

const VERSIONS = "mutation-versions";

/** With which code and tests the verdicts of a folder were found: the number of verdicts for each commit. */
const versionsOf = (results: readonly Result[]) =>
  [...Map.groupBy(results.filter(isScored), ({ commit }) => commit)]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([commit, of]) => `${of.length.toLocaleString("en")} at \`${commit}\``)
    .join(", ");

const versions = areas.map(({ folder, results }) => `- \`${folder}\`: ${versionsOf(results)}`).join("\n");

const reasonOf = ({ file, original, replacement, kind }: Result) =>
  REASONS.find(
    (rule) =>
      (rule.file === undefined || file.endsWith(rule.file)) &&
      rule.change.test(`${kind}: ${original.replaceAll(/\s+/g, " ")} => ${replacement}`),
  )?.reason ?? UNTESTED;

const shown = (code: string) => {
  const line = code.replaceAll(/\s+/g, " ").trim();
  const short = line.length > 90 ? `${line.slice(0, 89)}…` : line;
  return short === "" ? "(nothing)" : `\`\` ${short.replaceAll("``", "` `")} \`\``;
};

const sections = areas.flatMap(({ folder, results }) => {
  const byReason = Map.groupBy(results.filter(isSurvivor), reasonOf);
  return [
    `## ${folder}`,
    ...[...byReason].flatMap(([reason, of]) => [
      `**${reason}** (${of.length})`,
      of
        .map(({ file, line, original, replacement, verdict }) => {
          const name = file.slice(folder.length + 1);
          const mark = verdict === "unfinished" ? " †" : "";
          return `- \`${name}\`, line ${line}: ${shown(original)} → ${shown(replacement)}${mark}`;
        })
        .join("\n"),
    ]),
  ];
});
/** Replaces what stands between two comments of the page. */
const withPart = (page: string, name: string, text: string) => {
  const [before, after] = page.split(new RegExp(`(?<=<!-- ${name} -->\\n).*(?=\\n<!-- /${name} -->)`, "s"));
  return `${before}\n${text}\n${after}`;
};
const scores = withPart(readFileSync(SCORES, "utf8"), "mutation", table);
writeFileSync(SCORES, withPart(scores, VERSIONS, versions));
const head = `# Mutants that no test notices

\`node tools/mutation/survivors.ts\` writes this page from the results of \`npm run mutation\`: see
[reliability](reliability.md#changes-that-no-test-notices). Each line names a place and the change of its code. The lines
are grouped by the reason why no test notices the change. The lines are those of the commits that reliability.md names.

† Some tests have not met this mutant yet. So it may be noticed.`;
writeFileSync(SURVIVORS, `${[head, ...sections].join("\n\n")}\n`);
