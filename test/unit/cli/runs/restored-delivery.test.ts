import { expect, onTestFinished, test, vi } from "vitest";
import { cancelCommand } from "../../../../cli/commands/cancel.ts";
import { resumeCommand } from "../../../../cli/commands/resume.ts";
import type { RunTarget } from "../../../../cli/targets/target.ts";
import { Ledger } from "../../../../shared/ledger/ledger.ts";
import { MemoryStore } from "../../../helpers/memory-store.ts";

let target: RunTarget;
vi.mock("../../../../cli/targets/find-run.ts", () => ({
  findUnrequestedRun: async () => undefined,
  withRun: async (_run: string, _options: object, work: (target: RunTarget) => Promise<unknown>) => await work(target),
}));

/** A paused run of a stack. An earlier version may have paused it by disabling its deliveries. */
async function pausedRun() {
  const runs = new Ledger(new MemoryStore()).runs;
  await runs.create({ id: "r", workflow: "cities", requestedAt: new Date().toISOString() });
  await runs.pause("r");
  const restoreDelivery = vi.fn(async () => {});
  const sent: string[] = [];
  const services = {
    runs,
    queue: {
      policy: async () => ({ retentionSeconds: 864_000 }),
      depth: async () => ({ visible: 0, inFlight: 0, delayed: 0 }),
    },
    controlQueue: { sendControl: async ({ body }: { body: string }) => void sent.push(JSON.parse(body).type) },
  };
  const where = "stack sluice-cities";
  const stack = "sluice-cities";
  target = { workflow: "cities", name: "cities", where, stack, services, running: true, restoreDelivery } as never;
  target = { ...target, run: await runs.get("r") };
  const said = vi.spyOn(console, "log").mockImplementation(() => {});
  onTestFinished(() => said.mockRestore());
  return { runs, restoreDelivery, sent };
}

test.each([
  ["resume", resumeCommand, [], "running"],
  ["cancel", cancelCommand, ["--yes"], "cancelling"],
] as const)("%s enables the delivery of a paused run's messages again", async (_, command, options, status) => {
  const { runs, restoreDelivery, sent } = await pausedRun();
  await command.parseAsync(["r", "--stack", "sluice-cities", ...options], { from: "user" });
  expect(restoreDelivery).toHaveBeenCalledTimes(1);
  expect(await runs.get("r")).toMatchObject({ status });
  expect(sent).toEqual(["continue"]);
});
