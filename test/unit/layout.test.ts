import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const REFUSED = [
  ["shared/base/down.ts", "../aws/queue.ts"],
  ["shared/ledger/down.ts", "../producer/producer.ts"],
  ["shared/consumer/slots/down.ts", "../../dead-letters/letter.ts"],
  ["shared/sources/down.ts", "../definition/workflow.ts"],
  ["shared/definition/out.ts", "../../infra/fan-out.ts"],
  ["functions/out.ts", "../local/engine.ts"],
  ["infra/out.ts", "../cli/sluice.ts"],
  ["local/out.ts", "../functions/consumer.ts"],
  ["cli/out.ts", "../infra/fan-out.ts"],
  ["workflows/out.ts", "../cli/sluice.ts"],
] as const;

const ALLOWED = [
  ["shared/consumer/slots/up.ts", "../../ledger/ledger.ts"],
  ["shared/aws/up.ts", "../base/errors.ts"],
  ["local/up.ts", "../infra/bundling.ts"],
  ["cli/up.ts", "../local/engine.ts"],
] as const;

const directory = realpathSync(mkdtempSync(join(tmpdir(), "sluice-layout-")));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let refused: ReadonlySet<string>;

// One call of the linter, with the configuration that `npm run check` has, over a file for each import.
beforeAll(async () => {
  copyFileSync("biome.json", join(directory, "biome.json"));
  for (const [file, specifier] of [...REFUSED, ...ALLOWED]) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), `import { it } from "${specifier}";\n\nexport const same = it;\n`);
  }
  const output = await new Promise<string>((done) => {
    execFile(
      resolve("node_modules/.bin/biome"),
      ["lint", "--vcs-enabled=false", "--reporter=github", "--max-diagnostics=none"],
      { cwd: directory },
      (_error, stdout) => done(stdout),
    );
  });
  refused = new Set(
    [...output.matchAll(/noRestrictedImports,file=([^,]+)/g)].map(([, file = ""]) => relative(directory, file)),
  );
}, 60_000);

test.for(REFUSED)("%s must not import %s", ([file]) => {
  expect(refused).toContain(file);
});

test.for(ALLOWED)("%s may import %s", ([file]) => {
  expect(refused).not.toContain(file);
});
