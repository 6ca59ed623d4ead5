import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const MARK = "loaded modules: ";

/** Runs before the command, and prints the URLs of all modules that the command loads. */
const RECORDER = `--import=data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const urls = [];
  registerHooks({ load(url, context, nextLoad) { urls.push(url); return nextLoad(url, context); } });
  process.on("exit", () => process.stderr.write("${MARK}" + JSON.stringify(urls)));`)}`;

/** The files that a command loads, by their paths in the repository. */
async function filesOf(...words: readonly string[]): Promise<readonly string[]> {
  const command = [RECORDER, "--no-warnings", "cli/sluice.ts", ...words];
  const run = promisify(execFile)(process.execPath, command, { cwd: ROOT });
  // A wrong command ends with an exit code that is not 0, and prints its modules all the same.
  const { stderr } = await run.catch((error: { readonly stderr: string }) => error);
  const urls: readonly string[] = JSON.parse(stderr.slice(stderr.lastIndexOf(MARK) + MARK.length));
  return urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url).slice(ROOT.length));
}

/** Prints the names of all modules of Node that the command loads. */
const NODE_RECORDER = `--import=data:text/javascript,${encodeURIComponent(
  `process.on("exit", () => process.stderr.write(process.moduleLoadList.join("\\n")))`,
)}`;

test.each(["--help", "--version"])("sluice %s does not load node:fs/promises, which takes 4 ms", async (option) => {
  const run = await promisify(execFile)(process.execPath, [NODE_RECORDER, "bin/sluice.js", option], { cwd: ROOT });
  expect(run.stderr).toContain("NativeModule fs\n");
  expect(run.stderr).not.toContain("NativeModule internal/fs/promises");
});

describe("without a command to run", () => {
  test.each([["--help"], ["--version"], ["nonsense"], ["help"]])(
    "sluice %s loads the list of commands and commander, and no command",
    async (words) => {
      const files = (await filesOf(...words.split(" "))).filter((file) => !file.startsWith("node_modules/commander/"));
      expect(files).toEqual(["cli/sluice.ts", "cli/commands/commands.ts", "package.json"]);
    },
  );

  test.each([["help run"], ["run --help"]])("sluice %s loads only the declaration of the command", async (words) => {
    const files = await filesOf(...words.split(" "));
    expect(files).toContain("cli/commands/run.ts");
    const others = files.filter((file) => !/^(cli\/|package.json|node_modules\/commander\/)/.test(file));
    expect(others).toEqual([]);
    expect(files.filter((file) => file.startsWith("cli/")).length).toBeLessThan(6);
  });

  test.each([["dlq --help"], ["dlq redrive --help"], ["dlq help purge"], ["dlq nonsense"]])(
    "sluice %s loads neither the engine nor the AWS SDK",
    async (words) => {
      const files = await filesOf(...words.split(" "));
      expect(files).toContain("cli/commands/dlq/redrive.ts");
      expect(files.filter((file) => /^local\/|@aws-sdk|@smithy|esbuild|dynalite|cli-progress/.test(file))).toEqual([]);
    },
  );
});
