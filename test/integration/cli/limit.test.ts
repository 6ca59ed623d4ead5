import { expect, test, vi } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

test("the limit of a fleet is set, shown and cleared from another process while a run works", async () => {
  using world = new CliWorld();
  world.deliverInOrder();
  const run = world.begin("run", workflowFile("gated"), "--json");
  await world.begun(4);
  const limit = async (...options: readonly string[]) =>
    (await world.type("limit", "gated", ...options, "--json")).json.at(-1);
  expect(await limit()).toMatchObject({ type: "limit", workflow: "gated", set: {} });

  expect(await limit("--concurrency", "1", "--rate", "600/min")).toMatchObject({
    set: { concurrency: 1, perSecond: 10 },
  });
  // An option that is left out keeps its value.
  expect(await limit("--rate", "5/s")).toMatchObject({ set: { concurrency: 1, perSecond: 5 } });
  const slotsInForce = async () => ((await limit())?.inForce as { slots?: number } | undefined)?.slots;
  await vi.waitUntil(async () => (await slotsInForce()) === 1, PATIENTLY);

  const tooMany = await world.type("limit", "gated", "--concurrency", "99");
  expect(tooMany.code).toBe(1);
  expect(tooMany.stderr).toContain("--concurrency must be at most 4, the concurrency of the workflow, but is 99");
  expect((await world.type("limit", "nobody")).stderr).toContain('there is no workflow "nobody" here');

  const cleared = await world.type("limit", "gated", "--clear");
  expect(cleared.stdout).toContain("has no limit of this command any more");
  expect(await limit()).toMatchObject({ set: {} });
  world.open();
  expect((await run.ended).json.at(-1)).toMatchObject({ type: "summary", status: "completed", succeeded: 99, dead: 1 });
});
