import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CommandRunner } from "../../../cli/ui/run-command.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

/**
 * Stands in for the program: `run` begins a run, and holds the engine until the file `end` appears. `resume` begins a run if no
 * engine is held, and counts its calls.
 */
const PROGRAM = `
import { appendFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
const [command] = process.argv.slice(2);
const say = (line) => console.log(JSON.stringify(line));
if (command === "run") {
  writeFileSync("held", "");
  say({ type: "started", run: "r" });
  const timer = setInterval(() => {
    if (!existsSync("end")) return;
    clearInterval(timer);
    rmSync("held");
  }, 5);
} else {
  appendFileSync("calls", "x");
  if (existsSync("held")) say({ type: "error", code: "ENGINE_RUNNING", message: "another engine" });
  else if (command === "resume") say({ type: "started", run: "r" });
  else say({ type: "error", code: "NO_SUCH_RUN", message: "no such run" });
  if (command !== "resume" || existsSync("held")) process.exitCode = 1;
}
`;

let directory: string;
const before = process.cwd();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-commands-"));
  writeFileSync(join(directory, "program.mjs"), PROGRAM);
  vi.spyOn(process, "argv", "get").mockReturnValue([process.execPath, join(directory, "program.mjs")]);
  process.chdir(directory);
});
afterEach(() => {
  process.chdir(before);
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

const runner = () => new CommandRunner({ flags: [], onEnd: () => {} });

test("a command waits for the one before to close its engine", async () => {
  const commands = runner();
  expect(await commands.run(["run"])).toBe("Run r has begun.");
  const resumed = commands.run(["resume"]);
  await vi.waitUntil(() => existsSync("calls"), { ...PATIENTLY, interval: 5 });
  writeFileSync("end", "");
  expect(await resumed).toBe("Run r has begun.");
  await commands.idle();
});

test("other errors, and an engine of another terminal, are told at once", async () => {
  const commands = runner();
  await expect(commands.run(["look"])).rejects.toMatchObject({ status: 409, message: "no such run" });
  writeFileSync("held", "");
  await expect(commands.run(["resume"])).rejects.toMatchObject({ status: 409, message: "another engine" });
});
