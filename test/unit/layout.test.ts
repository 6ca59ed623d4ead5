import { execFile } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";

/** The folders of `shared/`, from the ground up. A folder may import itself and those before it. */
const SHARED = [
  "base",
  "limits",
  "aws",
  "messages",
  "sources",
  "definition",
  "bundling",
  "ledger",
  "results",
  "producer",
  "consumer",
  "dead-letters",
  "observe",
  "testing",
];

/** Of these, only some of the other folders may import anything: see `MAY_IMPORT`. */
const BUNDLING = "shared/bundling";
const TESTING = "shared/testing";

/** The folders beside `shared/`, and what each may import from this repository. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  functions: ["shared"],
  infra: ["shared", BUNDLING],
  local: ["shared", BUNDLING],
  cli: ["shared", BUNDLING, TESTING, "local", "ui", "create-sluice"],
  ui: ["shared", "local"],
  "create-sluice": [],
  workflows: ["shared"],
  examples: [],
  bin: ["shared"],
  types: ["shared"],
};

/** They may import everything. */
const FREE = ["test", "bench", "tools"];
/** Git ignores them. */
const IGNORED = new Set(["node_modules", "dist", "cdk.out", "coverage"]);
/** They have no code. */
const WITHOUT_CODE = ["docs", "biome-rules"];

/** A module that imports a module of a folder: the path of the module, and what it imports. */
const importOf = (from: string, to: string) =>
  [`${from}/to-${to.replaceAll("/", "-")}.ts`, `${"../".repeat(from.split("/").length)}${to}/it.ts`] as const;

const insideShared = SHARED.flatMap((from, index) =>
  SHARED.filter((to) => to !== from).map((to) => ({
    isAllowed: SHARED.indexOf(to) < index && to !== "bundling",
    pair: importOf(`shared/${from}`, `shared/${to}`),
  })),
);

const besideShared = Object.entries(MAY_IMPORT).flatMap(([from, allowed]) =>
  ["shared/base", BUNDLING, TESTING, ...Object.keys(MAY_IMPORT), ...FREE]
    // No code imports types, and the files of an example import each other: `examples/postcodes/workflows`.
    .filter((to) => to !== from && !["bin", "types"].includes(to))
    .filter((to) => from !== "examples" || !["workflows", "test"].includes(to))
    .map((to) => ({
      isAllowed: allowed.includes(to.startsWith("shared/") && ![BUNDLING, TESTING].includes(to) ? "shared" : to),
      pair: importOf(from, to),
    })),
);

const outOfShared = SHARED.flatMap((from) =>
  [...Object.keys(MAY_IMPORT), ...FREE]
    .filter((to) => !["bin", "types"].includes(to))
    .map((to) => ({ isAllowed: false, pair: importOf(`shared/${from}`, to) })),
);

const PAIRS = [...insideShared, ...besideShared, ...outOfShared];

const REFUSED = [
  ...PAIRS.filter(({ isAllowed }) => !isAllowed).map(({ pair }) => pair),
  ["shared/consumer/slots/down.ts", "../../dead-letters/redrive.ts"],
  ["shared/out.ts", "../functions/consumer.ts"],
  ["shared/to-bundling.ts", "./bundling/local-bundle.ts"],
  ["shared/to-testing.ts", "./testing/index.ts"],
  ["local/sqs/to-infra.ts", "../../infra/fan-out.ts"],
  ["cli/to-page.ts", "../ui/page/main.tsx"],
] as const;

const ALLOWED = [
  ...PAIRS.filter(({ isAllowed }) => isAllowed).map(({ pair }) => pair),
  ["shared/consumer/slots/up.ts", "../../ledger/ledger.ts"],
  ["shared/index.ts", "./definition/workflow.ts"],
  ["functions/workflow.ts", "#workflow"],
  ["local/lambda/up.ts", "../../infra/bundling.ts"],
  ["cli/to-server.ts", "../ui/server/server.ts"],
  ["test/anything.ts", "../cli/sluice.ts"],
  ["bench/anything.ts", "../local/engine.ts"],
  ["tools/anything.ts", "../shared/bundling/local-bundle.ts"],
] as const;

test("every folder of this repository has its arrows here", () => {
  const foldersOf = (path: string) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !IGNORED.has(entry.name))
      .map(({ name }) => name)
      .sort();
  expect(foldersOf("shared")).toEqual(SHARED.toSorted());
  expect(foldersOf(".")).toEqual(["shared", ...Object.keys(MAY_IMPORT), ...FREE, ...WITHOUT_CODE].sort());
});

/** The other forms of an import, each of a module that `shared/base/` must not import. */
const FORMS = [
  ["shared/base/type.ts", 'import type { it } from "../aws/queue.ts";\n\nexport type Same = typeof it;\n'],
  ["shared/base/export.ts", 'export { it } from "../aws/queue.ts";\n'],
  ["shared/base/dynamic.ts", 'export const it = import("../aws/queue.ts");\n'],
  ["shared/base/effect.ts", 'import "../aws/queue.ts";\n'],
] as const;

const ENVIRONMENT_WRITES = [
  "process.env = {};",
  'process.env.NAME = "value";',
  'process.env["not a name"] = "value";',
  'process.env.NAME ??= "value";',
  "delete process.env.NAME;",
  'Object.assign(process.env, { NAME: "value" });',
] as const;

interface Finding {
  readonly rule: string;
  readonly file: string;
}

/** Runs Biome as `npm run check` does, with the same configuration, over some files. */
async function check(files: Readonly<Record<string, string>>) {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "sluice-layout-")));
  try {
    copyFileSync("biome.json", join(directory, "biome.json"));
    cpSync("biome-rules", join(directory, "biome-rules"), { recursive: true });
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, file)), { recursive: true });
      writeFileSync(join(directory, file), content);
    }
    return await new Promise<{ readonly code: number; readonly findings: readonly Finding[] }>((done) => {
      execFile(
        resolve("node_modules/.bin/biome"),
        ["check", "--vcs-enabled=false", "--reporter=github", "--max-diagnostics=none", "."],
        { cwd: directory },
        (error, stdout) => {
          const found = [...stdout.matchAll(/title=([^,]+),file=([^,]+)/g)];
          const findings = found.map(([, rule = "", file = ""]) => ({
            rule,
            file: relative(directory, resolve(directory, file)),
          }));
          done({ code: Number(error?.code ?? 0), findings });
        },
      );
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const importing = (specifier: string) => `import { it } from "${specifier}";\n\nexport const same = it;\n`;

const asFiles = (imports: readonly (readonly [string, string])[]) =>
  Object.fromEntries(imports.map(([file, specifier]) => [file, importing(specifier)]));

test("npm run check runs the linter, and fails for one forbidden import", async () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  expect(scripts.check).toMatch(/&& biome check \.$/);

  expect(await check(asFiles(ALLOWED))).toEqual({ code: 0, findings: [] });
  const [file, specifier] = REFUSED[0];
  const broken = await check({ ...asFiles(ALLOWED), [file]: importing(specifier) });

  expect(broken).toEqual({ code: 1, findings: [{ rule: "lint/style/noRestrictedImports", file }] });
});

describe("imports", () => {
  let refused: ReadonlySet<string>;

  beforeAll(async () => {
    const { findings } = await check({ ...asFiles(REFUSED), ...Object.fromEntries(FORMS) });
    refused = new Set(findings.filter(({ rule }) => rule.endsWith("noRestrictedImports")).map(({ file }) => file));
  });

  test("those that the layout does not allow are refused, each of them", () => {
    expect(REFUSED.map(([file]) => file).filter((file) => !refused.has(file))).toEqual([]);
  });

  test.for(FORMS)("%s is refused like any other import", ([file]) => {
    expect(refused).toContain(file);
  });
});

test("no module of the product may write an environment variable", async () => {
  const folders = ["shared/base", "functions", "infra", "local", "cli", "workflows"];
  const files = folders.flatMap((folder, n) =>
    ENVIRONMENT_WRITES.map((write, position) => [`${folder}/write-${n}-${position}.ts`, `${write}\n`] as const),
  );
  const reads = { "shared/base/read.ts": "export const name = process.env.NAME;\n" };
  const tests = { "test/write.ts": 'process.env.NAME = "value";\n' };

  const { findings } = await check({ ...Object.fromEntries(files), ...reads, ...tests });

  const refused = new Set(findings.filter(({ rule }) => rule === "plugin").map(({ file }) => file));
  expect([...refused].sort()).toEqual(files.map(([file]) => file).sort());
});
