import type { Combination } from "./combinations.ts";
import { STEPS, type WalkResult } from "./walk.ts";

/** The page `docs/compatibility.md`: a row for each combination, with the result of its walk. */
export function pageOf(rows: readonly (readonly [Combination, WalkResult | undefined])[]): string {
  const lines = rows.map(([{ name }, result]) => {
    if (result === undefined) return `| \`${name}\` | not tried | – | ${STEPS.map(() => "–").join(" | ")} |`;
    const cells = STEPS.map((step) => {
      const found = result.steps.find((each) => each.step === step);
      return found === undefined ? "–" : found.problem === undefined ? "yes" : "**no**";
    });
    return `| \`${name}\` | ${result.node} | ${result.packageManager} | ${cells.join(" | ")} |`;
  });
  return `# Compatibility

\`npm run compatibility\` writes this page. For each row, it installs the Node and the package manager into an empty home,
writes a project with the packed \`create-sluice\`, installs the packed Sluice, compiles the project, runs the workflow, runs
its tests, and synthesises the stack. A walk ends at the first step that fails.

| combination | Node | package manager | ${STEPS.join(" | ")} |
| --- | --- | --- | ${STEPS.map(() => "---").join(" | ")} |
${lines.join("\n")}
`;
}
