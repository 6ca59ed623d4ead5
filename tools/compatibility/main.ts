import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMBINATIONS, nameOf } from "./combinations.ts";
import { type WalkResult, walk } from "./walk.ts";

// `npm run compatibility` walks with every combination of Node and package manager, and writes docs/compatibility.md.
// `npm run compatibility 24-npm 22-pnpm` walks with these two, and keeps the other rows.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FILE = join(ROOT, "docs/compatibility.md");
const STEP_NAMES = ["create", "install", "start", "test", "synth"];

const wanted = process.argv.slice(2);
const chosen = COMBINATIONS.filter((each) => wanted.length === 0 || wanted.includes(nameOf(each)));
const directory = mkdtempSync(join(tmpdir(), "sluice-compatibility-"));
const rows = new Map<string, string>(
  (existsSync(FILE) ? readFileSync(FILE, "utf8") : "")
    .split("\n")
    .flatMap((line) => [[/^\| `(\S+)` \|/.exec(line)?.[1] ?? "", line] as const])
    .filter(([name]) => name !== ""),
);
try {
  for (const words of [[], ["--workspace", "create-sluice"]]) {
    execFileSync("npm", ["pack", ...words, "--pack-destination", directory], { cwd: ROOT, stdio: "ignore" });
  }
  for (const combination of chosen) {
    const name = nameOf(combination);
    const result = await walk(combination, join(directory, name), directory);
    rows.set(name, rowOf(name, result));
    writeFileSync(FILE, page());
    console.log(rows.get(name));
    for (const { problem } of result.steps) {
      if (problem === undefined) continue;
      console.log(problem);
      process.exitCode = 1;
    }
    rmSync(join(directory, name), { recursive: true, force: true });
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function rowOf(name: string, { versions, steps }: WalkResult): string {
  const cells = STEP_NAMES.map((step) => {
    const found = steps.find((each) => each.step === step);
    return found === undefined ? "–" : found.problem === undefined ? "yes" : "**no**";
  });
  return `| \`${name}\` | ${versions} | ${cells.join(" | ")} |`;
}

function page(): string {
  const lines = COMBINATIONS.map(
    (each) => rows.get(nameOf(each)) ?? `| \`${nameOf(each)}\` | not tried | – | – | – | – | – |`,
  );
  return `# Compatibility

\`npm run compatibility\` writes this page. For each row, it installs the Node and the package manager into an empty home,
writes a project with the packed \`create-sluice\`, installs the packed Sluice, runs the workflow, runs its tests and
synthesises the stack. A walk ends at the first step that fails. \`npm run gate\` does the same with npm and the Node of
the repository (\`test/deploy/create.test.ts\`).

| combination | Node, package manager | ${STEP_NAMES.join(" | ")} |
| --- | --- | ${STEP_NAMES.map(() => "---").join(" | ")} |
${lines.join("\n")}
`;
}
