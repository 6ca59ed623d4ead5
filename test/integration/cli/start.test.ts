import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

test("start without a stack runs the workflow on this machine, as run does", async () => {
  using world = new CliWorld();
  const { code, stdout, stderr } = await world.type("start", workflowFile("small"), "--items", "3");
  expect(stderr).toContain("small · run ");
  expect(stdout).toContain("Completed, every item succeeded");
  expect(stdout).toMatch(/produced +3$/m);
  expect(code).toBe(0);
});

test("start needs a workflow's name, and --stack for options of a stack", async () => {
  using world = new CliWorld();
  const none = await world.type("start");
  expect(none).toMatchObject({ code: 1 });
  expect(none.stderr).toContain("name the workflow: npx sluice start <workflow>");
  const region = await world.type("start", "small", "--region", "eu-west-1");
  expect(region).toMatchObject({ code: 1 });
  expect(region.stderr).toContain("--region and --profile need a deployed stack: add --stack");
});
