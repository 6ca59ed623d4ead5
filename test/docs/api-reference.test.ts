import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "../helpers/pages.ts";

const run = promisify(execFile);
const OPTIONS = join(ROOT, "tools/api-reference/typedoc.json");

/** Runs TypeDoc without writing files. Returns its exit code and its warnings. */
async function typedoc(options: string): Promise<{ readonly code: number; readonly warnings: string[] }> {
  // TypeDoc finds the TypeScript beside it.
  const cli = join(ROOT, "tools/api-reference/node_modules/typedoc/bin/typedoc");
  const all = [cli, "--options", options, "--emit", "none"];
  const { code, stdout, stderr } = await run(process.execPath, all, { cwd: tmpdir() }).then(
    (output) => ({ ...output, code: 0 }),
    (error) => error,
  );
  const lines = stripVTControlCharacters(`${stdout}\n${stderr}`).split("\n");
  return { code, warnings: lines.filter((line) => /^\[(warning|error)\]/.test(line)) };
}

test("the API reference documents everything that is exported, and has no broken link", async () => {
  expect(await typedoc(OPTIONS)).toEqual({ code: 0, warnings: [] });
});

test("TypeDoc fails on an export without documentation, and on a broken link", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-api-"));
  try {
    mkdirSync(join(directory, "src"));
    writeFileSync(
      join(directory, "src/index.ts"),
      "export const undocumented = 1;\n\n/** See {@link nowhere}. */\nexport const documented = 2;\n",
    );
    writeFileSync(
      join(directory, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { module: "nodenext", types: [] }, include: ["src"] }),
    );
    const options = join(directory, "typedoc.json");
    const shared = JSON.parse(readFileSync(OPTIONS, "utf8"));
    writeFileSync(options, JSON.stringify({ ...shared, entryPoints: ["src/index.ts"], tsconfig: "tsconfig.json" }));
    const { code, warnings } = await typedoc(options);
    expect(code).not.toBe(0);
    expect(warnings.join("\n")).toMatch(/undocumented \(Variable\).* does not have any documentation/);
    expect(warnings.join("\n")).toMatch(/Failed to resolve link to "nowhere"/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
