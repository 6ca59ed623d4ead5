import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

test("plan says what a run needs, and writes nothing", async () => {
  using world = new CliWorld();
  const file = workflowFile("triable");
  const { code, stdout, stderr } = await world.type("plan", file, "--task-seconds", "0.3", "--items", "1000");
  expect(stderr).toBe("");
  const lines = stdout.split("\n");
  expect(lines[0]).toBe("triable · page 1 of the source: 6 items");
  expect(lines).toContain("warning the list is long");
  expect(lines).toContain("  items       1,000, given with --items");
  expect(lines.at(-2)).toContain("Nothing was written.");
  expect(code).toBe(0);
  expect(existsSync(join(world.path, ".sluice"))).toBe(false);
  expect(readdirSync(world.path)).toEqual([]);

  const { json } = await world.type("plan", file, "--task-seconds", "0.3", "--items", "1000", "--json");
  expect(json).toMatchObject([
    {
      type: "plan",
      workflow: "triable",
      source: { items: 1_000, basis: "given", page: { items: 6, isLast: false }, warnings: ["the list is long"] },
      taskSeconds: 0.3,
      spread: 0.5,
      failures: 0,
      ordered: { requests: { sqs: expect.any(Number) }, dollars: { sum: expect.any(Number) } },
      random: { requests: { dynamoDb: expect.any(Number) } },
      prices: { asOf: "2026-11", region: "us-east-1" },
    },
  ]);
});

test("plan refuses a wrong duration, a wrong share and an unknown workflow", async () => {
  using world = new CliWorld();
  const file = workflowFile("triable");
  const missing = await world.type("plan", file);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("--task-seconds") });
  const wrong = await world.type("plan", file, "--task-seconds", "0");
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("a number above 0") });
  const spread = await world.type("plan", file, "--task-seconds", "1", "--spread", "2");
  expect(spread).toMatchObject({ code: 1, stderr: expect.stringContaining("from 0 to 1") });
  const failures = await world.type("plan", file, "--task-seconds", "1", "--failures", "20");
  expect(failures).toMatchObject({ code: 1, stderr: expect.stringContaining("from 0 to 1") });
  const unknown = await world.type("plan", "unknown", "--task-seconds", "1");
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no workflow "unknown"') });
});

test("plan starts what the workflow needs on this machine, and ends it", async () => {
  using world = new CliWorld();
  const cities = fileURLToPath(new URL("../../../workflows/cities.ts", import.meta.url));
  const { code, json } = await world.begin("plan", cities, "--task-seconds", "0.3", "--json").ended;
  expect(json).toMatchObject([{ type: "plan", workflow: "cities", source: { items: 5_000, basis: "limited" } }]);
  expect(code).toBe(0);
});
