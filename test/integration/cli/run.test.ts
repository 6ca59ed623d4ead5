import { describe, expect, test } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";

test("run --json prints one object a line, the last one the summary, and exits with 2 after dead letters", async () => {
  using world = new CliWorld();
  // In a process of its own, as a person does.
  const { code, json, stderr } = await world.begin("run", workflowFile("small"), "--json").ended;
  expect(stderr).toBe("");
  expect(json[0]).toEqual({
    type: "started",
    workflow: "small",
    run: expect.stringMatching(/^\d{8}-\d{6}-[0-9a-f]{4}$/),
    concurrency: 4,
    environments: 2,
  });
  expect(json.slice(1, -1)).toEqual(json.slice(1, -1).map(() => expect.objectContaining({ type: "progress" })));
  expect(json.at(-1)).toEqual({
    type: "summary",
    workflow: "small",
    run: json[0]?.run,
    status: "completed",
    produced: 12,
    succeeded: 11,
    dead: 1,
    retried: 0,
    throttled: 0,
    wallSeconds: expect.any(Number),
    peakInFlight: expect.any(Number),
    deadByReason: { permanent: 1 },
    warnings: [],
    memoryMb: { producer: expect.any(Number), consumer: expect.any(Number) },
  });
  expect(json.at(-1)?.peakInFlight).toBeLessThanOrEqual(4);
  expect(code).toBe(2);

  // The output for people, with --items and --fresh.
  const fresh = await world.type("run", workflowFile("small"), "--items", "5", "--fresh");
  expect(fresh.code).toBe(0);
  expect(fresh.stdout).toMatch(/^\nCompleted, every item succeeded {2}small · run \S+\n\n {2}produced +5\n/);
  const listed = await world.type("status", "--json");
  expect(listed.json).toMatchObject([
    { workflow: "small", status: "completed", produced: 5, succeeded: 5, pending: 0 },
  ]);
  const run = String(listed.json[0]?.run);
  expect(fresh.stdout).toContain(run);
  // A workflow's name means its latest run.
  const one = await world.type("status", "small");
  expect(one.stdout).toMatch(new RegExp(`^small · run ${run} · completed\n {2}produced +5\n`));
  const over = await world.type("resume", run, "--json");
  expect(over.json).toMatchObject([{ type: "error", code: "RUN_ENDED" }]);
  expect(over.code).toBe(1);
});

test("a run in which more items die than are tolerated exits with 1, and says why", async () => {
  using world = new CliWorld();
  const { code, json } = await world.type("run", workflowFile("hopeless"), "--json");
  expect(code).toBe(1);
  const summary = json.at(-1);
  expect(summary).toMatchObject({ type: "summary", status: "failed", produced: 300, succeeded: 0 });
  expect(Number(summary?.dead) + Number(summary?.cancelled)).toBe(300);
  expect(summary?.failure).toMatch(/^\d+ items died, more than the 2 that are tolerated$/);
});

test("a warning of the source is in the summary and in status, and the exit code stays 0", async () => {
  using world = new CliWorld();
  const { code, json } = await world.type("run", workflowFile("odd"), "--json");
  expect(json.at(-1)).toMatchObject({ type: "summary", status: "completed", warnings: ["the table has no key"] });
  expect(code).toBe(0);
  expect((await world.type("status", "--json")).json).toMatchObject([{ warnings: ["the table has no key"] }]);
  expect((await world.type("status")).stdout).toMatch(/\n *odd +\S+ +completed, 1 warning +3 /);
  expect((await world.type("status", "odd")).stdout).toContain("\nwarning the table has no key\n  produced ");
});

test("a schema that no row matches is reported once, in the summary and in status", async () => {
  using world = new CliWorld();
  const sameFailure = "all 1,200 items: `email` missing; the header has ` E-Mail `";
  const { code, json } = await world.begin("run", workflowFile("wrong-header"), "--json").ended;
  expect(json.at(-1)).toMatchObject({ type: "summary", deadByReason: { "invalid item": 1_200 }, sameFailure });
  expect(code).toBe(2);
  expect((await world.type("status", "--json")).json).toMatchObject([{ sameFailure }]);
  expect((await world.type("status", "wrong-header")).stdout).toContain(`\n${sameFailure}\n`);
});

describe("a command that fails", () => {
  test.each([
    [
      "an unknown workflow",
      ["run", "nobody"],
      "CONFIGURATION",
      /there is no workflow "nobody": give the name of a workflow in workflows\//,
    ],
    [
      "a workflow with a mistake",
      ["run", workflowFile("mistaken")],
      "CONFIGURATION",
      /mistaken\.ts: concurrency must be .* 2 .*1/,
    ],
    ["nothing to resume", ["resume"], "CONFIGURATION", /every run has ended/],
    [
      "an unknown run",
      ["status", "20200101-000000-0000"],
      "CONFIGURATION",
      /there is no run or workflow "20200101-000000-0000"/,
    ],
  ])("for %s exits with 1 and says how to fix it, on stderr or as JSON", async (_, words, errorCode, message) => {
    using world = new CliWorld();
    const [plain, machine] = await Promise.all([world.type(...words), world.type(...words, "--json")]);
    expect(plain).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(message) });
    expect(plain.stderr).not.toContain("    at ");
    expect(machine).toMatchObject({ code: 1, stderr: "" });
    expect(machine.json).toEqual([{ type: "error", code: errorCode, message: expect.stringMatching(message) }]);
  });

  test("for a workflow whose functions cannot start says so at once, with their log", async () => {
    using world = new CliWorld();
    const { code, stderr } = await world.type("run", workflowFile("failing-function"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/the (producer|consumer) cannot start \(exit code 1\)/);
    expect(stderr).toContain("the key is missing");
  });

  test("for an invalid option exits with 1 and names the option", async () => {
    using world = new CliWorld();
    const { code, stderr } = await world.type("run", workflowFile("small"), "--items", "0");
    expect(code).toBe(1);
    expect(stderr).toMatch(/'--items <n>' argument '0' is invalid\. It must be a whole number of at least 1\./);
  });
});
