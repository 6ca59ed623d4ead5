import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

/** The reads of a source, by page, and when they were. */
const readsOf = ({ path }: CliWorld) =>
  readFileSync(join(path, "reads"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [page = 0, at = 0] = line.split(" ").map(Number);
      return { page, at };
    });

test("a run whose source must wait says so, waits, and continues by itself", async () => {
  using world = new CliWorld();
  world.environment.WAIT_SECONDS = "12";
  const run = world.begin("run", workflowFile("refused-source"), "--json");
  await run.printed("The source asks to wait until");
  const { code, json, stdout } = await run.ended;
  expect(code).toBe(0);
  expect(json.at(-1)).toMatchObject({ type: "summary", status: "completed", produced: 3, succeeded: 3 });
  expect(json.filter(({ type }) => type === "message")).toEqual([
    {
      type: "message",
      message: expect.stringMatching(/until [\d:]{8}\. The run then continues\. Reason: the quota is used up$/),
    },
  ]);
  expect(stdout).toContain('"sourceWaitSeconds":');
  const reads = readsOf(world);
  const refused = reads.find(({ page }) => page === 1)?.at ?? 0;
  const [again = { page: 0, at: 0 }] = reads.filter(({ page, at }) => page === 1 && at > refused);
  expect(again.at - refused).toBeGreaterThanOrEqual(12_000);
  expect(reads.filter(({ page }) => page === 2)).toHaveLength(1);
});

test("a run whose source must wait for hours is cancelled at once, and a resume does not read the source sooner", async () => {
  using world = new CliWorld();
  world.environment.WAIT_SECONDS = "7200";
  const run = world.begin("run", workflowFile("refused-source"), "--json");
  await run.printed("The source asks to wait until");
  await world.kill(run);

  const resumed = world.begin("resume", "refused-source", "--json");
  await resumed.printed('"sourceWaitSeconds":');
  const shown = await world.type("status", "refused-source");
  expect(shown.stdout).toMatch(/\nthe source asks to wait until .*[\d:]{8}: the quota is used up\n/);
  const [status] = (await world.type("status", "refused-source", "--json")).json;
  const refused = readsOf(world).find(({ page }) => page === 1)?.at ?? Number.NaN;
  expect(Date.parse(String(status?.sourceWaitsUntil)) - refused).toBeGreaterThanOrEqual(7_200_000);
  expect((await world.type("cancel", "refused-source", "--yes")).code).toBe(0);
  const { code, json } = await resumed.ended;
  expect(code).toBe(1);
  expect(json.at(-1)).toMatchObject({ type: "summary", status: "cancelled", produced: 1 });
  expect(readsOf(world).filter(({ page }) => page === 1)).toHaveLength(1);
});
