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

describe("without a command to run", () => {
  test.each([["--help"], ["--version"], ["nonsense"], ["help run"], ["run --help"]])(
    "sluice %s loads only the declarations of the commands, and commander",
    async (words) => {
      const files = await filesOf(...words.split(" "));
      const others = files.filter(
        (file) => !/^(cli\/(sluice|commands\/|options\/)|node_modules\/commander\/)/.test(file),
      );
      expect(others).toEqual([]);
      expect(files.length).toBeLessThan(25);
    },
  );

  test.each([["dlq --help"], ["dlq redrive --help"], ["dlq help purge"], ["dlq nonsense"]])(
    "sluice %s loads neither the engine nor the AWS SDK",
    async (words) => {
      const files = await filesOf(...words.split(" "));
      expect(files).toContain("cli/commands/dlq/redrive.ts");
      expect(files.filter((file) => /^local\/|@aws-sdk|@smithy|esbuild|dynalite|cli-progress/.test(file))).toEqual([]);
    },
  );
});
