import { execFile } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";

const REFUSED = [
  ["shared/base/down.ts", "../aws/queue.ts"],
  ["shared/limits/down.ts", "../aws/queue.ts"],
  ["shared/base/to-limits.ts", "../limits/report.ts"],
  ["shared/ledger/down.ts", "../producer/producer.ts"],
  ["shared/consumer/slots/down.ts", "../../dead-letters/redrive.ts"],
  ["shared/sources/down.ts", "../definition/workflow.ts"],
  ["shared/consumer/to-testing.ts", "../testing/index.ts"],
  ["shared/dead-letters/to-observe.ts", "../observe/pace.ts"],
  ["shared/observe/out.ts", "../../local/engine.ts"],
  ["shared/testing/out.ts", "../../cli/sluice.ts"],
  ["shared/definition/out.ts", "../../infra/fan-out.ts"],
  ["shared/definition/to-bundling.ts", "../bundling/load-module.ts"],
  ["shared/consumer/to-bundling.ts", "../bundling/load-module.ts"],
  ["shared/bundling/down.ts", "../ledger/ledger.ts"],
  ["shared/out.ts", "../functions/consumer.ts"],
  ["functions/out.ts", "../local/engine.ts"],
  ["functions/to-workflow.ts", "../workflows/cities.ts"],
  ["infra/out.ts", "../cli/sluice.ts"],
  ["infra/to-functions.ts", "../functions/consumer.ts"],
  ["local/out.ts", "../functions/consumer.ts"],
  ["local/sqs/to-infra.ts", "../../infra/fan-out.ts"],
  ["local/to-cli.ts", "../cli/sluice.ts"],
  ["cli/out.ts", "../infra/fan-out.ts"],
  ["cli/to-workflow.ts", "../workflows/cities.ts"],
  ["ui/to-cli.ts", "../cli/sluice.ts"],
  ["cli/to-page.ts", "../ui/page/main.tsx"],
  ["workflows/out.ts", "../cli/sluice.ts"],
  ["bin/out.ts", "../cli/sluice.ts"],
  ["cli/to-test.ts", "../test/helpers/test-engine.ts"],
  ["shared/producer/to-bench.ts", "../../bench/bench.ts"],
] as const;

const ALLOWED = [
  ["shared/consumer/slots/up.ts", "../../ledger/ledger.ts"],
  ["shared/aws/up.ts", "../base/errors.ts"],
  ["shared/ledger/to-limits.ts", "../limits/report.ts"],
  ["shared/index.ts", "./definition/workflow.ts"],
  ["shared/bundling/up.ts", "../definition/workflow.ts"],
  ["shared/testing/up.ts", "../consumer/attempts/attempt.ts"],
  ["functions/up.ts", "../shared/consumer/consumer.ts"],
  ["functions/workflow.ts", "#workflow"],
  ["infra/up.ts", "../shared/definition/topology.ts"],
  ["local/lambda/up.ts", "../../infra/bundling.ts"],
  ["local/shared.ts", "../shared/ledger/connect.ts"],
  ["cli/up.ts", "../local/engine.ts"],
  ["shared/observe/up.ts", "../ledger/run-record.ts"],
  ["cli/to-ui.ts", "../ui/server/server.ts"],
  ["ui/up.ts", "../local/engine.ts"],
  ["workflows/up.ts", "../shared/index.ts"],
  ["test/anything.ts", "../cli/sluice.ts"],
  ["bench/anything.ts", "../local/engine.ts"],
] as const;

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

  test.for(REFUSED)("%s must not import %s", ([file]) => {
    expect(refused).toContain(file);
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
