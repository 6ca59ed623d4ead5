import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readyModule } from "../../../shared/bundling/ready-module.ts";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

const SLUICE = fileURLToPath(new URL("../../../bin/sluice.js", import.meta.url));
const ENTRY = fileURLToPath(new URL("../../../cli/try/try-bundled.ts", import.meta.url));
const MARK = "CPU microseconds: ";

/** Prints the CPU time of the process when it ends. */
const RECORDER = `--import=data:text/javascript,${encodeURIComponent(
  `process.on("exit", () => { const { user, system } = process.cpuUsage(); process.stderr.write("${MARK}" + (user + system)); });`,
)}`;

const MOST = 2;
const ROUNDS = 25;

test("try, warm, takes no more than twice the CPU time of node importing its bundle", async () => {
  using world = new CliWorld();
  const file = workflowFile("small");
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache") };
  const cpu = async (...words: readonly string[]) => {
    const { stderr } = await promisify(execFile)(process.execPath, [RECORDER, ...words], { cwd: world.path, env });
    return Number(stderr.slice(stderr.lastIndexOf(MARK) + MARK.length));
  };
  const tried = () => cpu(SLUICE, "try", file, "--items", "1");
  // The second command finds the bundle in the cache, and notes that it is ready.
  for (let time = 0; time < 3; time++) await tried();
  const bundle = readyModule({ entry: ENTRY, alias: { "#workflow": file }, linksPackages: false });
  if (bundle === undefined) throw new Error("the bundle is not ready");
  const program = `await import(${JSON.stringify(pathToFileURL(bundle).href)})`;
  // Other processes on the machine make both slower at times, so the least of several rounds counts.
  const least = { tried: Number.POSITIVE_INFINITY, imported: Number.POSITIVE_INFINITY };
  for (let round = 0; round < ROUNDS; round++) {
    least.imported = Math.min(least.imported, await cpu("--input-type=module", "--eval", program));
    least.tried = Math.min(least.tried, await tried());
    if (round > 3 && least.tried <= MOST * least.imported) break;
  }
  expect(least.tried / least.imported).toBeLessThanOrEqual(MOST);
});
