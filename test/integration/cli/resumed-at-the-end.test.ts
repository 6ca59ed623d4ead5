import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { continueRun } from "../../../cli/runs/continue-run.ts";
import { reachServices } from "../../../local/local-services.ts";
import { StateDirectory } from "../../../local/state-directory.ts";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

const patiently = { ...PATIENTLY, interval: 20 };

test("a run that another command resumes just when its own command is about to end is read to its end", async () => {
  using world = new CliWorld();
  const create = (name: string) => writeFileSync(join(world.path, name), "");
  const command = world.begin("run", workflowFile("parted"), "--json");
  await command.printed('"started"');
  const state = new StateDirectory("parted", join(world.path, ".sluice"));
  // As a command that resumes the run, this test uses the services of the first command, which waits for it.
  const services = await reachServices("parted", state);
  // The run cannot end before.
  create("open");
  await vi.waitUntil(() => state.lockOwner()?.endpoints === undefined, patiently);
  const [run] = await services.runs.latest(1);
  expect(run?.status).toBe("failed");
  create("repaired");
  const reopened = await services.runs.reopen(run?.id ?? "");
  if (reopened !== undefined) await continueRun(services.controlQueue, reopened);
  await services.close();

  const { code, json } = await command.ended;
  expect(json.at(-1)).toMatchObject({ type: "summary", status: "completed", produced: 12, succeeded: 12, dead: 0 });
  expect(code).toBe(0);
});
