import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

test("start without a stack means this machine: it runs the workflow, as run does", { timeout: 60_000 }, async () => {
  using world = new CliWorld();
  const { code, stdout, stderr } = await world.type("start", workflowFile("small"), "--items", "3");
  expect(stderr).toContain("small · run ");
  expect(stdout).toContain("Completed, every item succeeded");
  expect(stdout).toMatch(/produced +3$/m);
  expect(code).toBe(0);
});

test("what a stack needs and a workflow's name are not guessed", async () => {
  using world = new CliWorld();
  const none = await world.type("start");
  expect(none).toMatchObject({ code: 1 });
  expect(none.stderr).toContain("say which workflow: npx sluice start <workflow>");
  const region = await world.type("start", "small", "--region", "eu-west-1");
  expect(region).toMatchObject({ code: 1 });
  expect(region.stderr).toContain("--region and --profile are of a deployed stack: add --stack");
});
