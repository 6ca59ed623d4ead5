import type { Combination } from "./combinations.ts";
import { RESOLUTIONS, STEPS, type WalkResult } from "./walk.ts";

/** The page `docs/compatibility.md`: a row for each combination, with the result of its walk. */
export function pageOf(rows: readonly (readonly [Combination, WalkResult | undefined])[]): string {
  const lines = rows.map(([{ name }, result]) => {
    if (result === undefined) return `| \`${name}\` | not tried | – | ${STEPS.map(() => "–").join(" | ")} |`;
    const cells = STEPS.map((step) => {
      const found = result.steps.find((each) => each.step === step);
      if (found === undefined) return "–";
      if (found.problem !== undefined) return "**no**";
      return found.byHand === undefined ? "yes" : `with \`${found.byHand}\``;
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

- **npm and pnpm** need nothing by hand, on each Node.
- **Yarn** cannot install aws-cdk-lib from a registry that lacks a package which aws-cdk-lib contains: Yarn asks the registry
  for the package all the same, and npm and pnpm take the copy inside
  ([yarn#8436](https://github.com/yarnpkg/yarn/issues/8436)). The registry of these walks had no version 1.14.0 of
  \`@aws/cloudformation-validate\`, which aws-cdk-lib 2.276.0 contains. Then add to \`package.json\`:
  \`"resolutions": ${JSON.stringify(RESOLUTIONS)}\`. A cell "with \`resolutions\`" means that the walk went on with this line.
  A "**no**" at \`install\` in a row of Yarn means that the walk ended there: without this line, or
  because a download took too long (Yarn 1 gives up after 30 s).
- **Plug'n'Play.** \`create-sluice\` writes \`nodeLinker: node-modules\` into \`.yarnrc.yml\`, so Yarn 4 does not use
  Plug'n'Play. The rows \`yarn-4-pnp\` show what happens without this file: the compiler of TypeScript 7 does
  not find the packages. Plug'n'Play is not supported.
`;
}
