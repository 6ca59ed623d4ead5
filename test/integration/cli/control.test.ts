import { readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { VALID_MILLISECONDS } from "../../../shared/consumer/run-watch.ts";
import { CliWorld, type Command, type Ended, workflowFile } from "../../helpers/cli.ts";
import { signalAtWrite } from "../../helpers/signal-at-write.ts";

/** The counts of a whole run of `gated`: of a hundred items, one dies. */
const whole = { produced: 100, succeeded: 99, dead: 1 };

const statusOf = async (world: CliWorld) => (await world.type("status", "gated", "--json")).json.at(-1);

/** Resolves once all items of `gated` are produced and four tasks are in flight, behind a closed gate. */
async function untilMidway(world: CliWorld): Promise<void> {
  await world.begun(4);
  // The first tasks can begin before the producer has sent the last message and written its checkpoint.
  await world.until(async () => (await statusOf(world))?.produced === whole.produced);
}

/** Starts a run and waits until it is midway. */
async function midway(world: CliWorld, ...options: readonly string[]): Promise<Command> {
  world.deliverInOrder();
  const command = world.begin("run", workflowFile("gated"), ...options);
  await untilMidway(world);
  return command;
}

function expectWhole({ code, json }: Ended): void {
  expect(json.at(-1)).toMatchObject({ type: "summary", status: "completed", ...whole, deadByReason: { permanent: 1 } });
  expect(code).toBe(2);
}

test("a run is paused from another process, resumed, interrupted, and resumed to its end", async () => {
  using world = new CliWorld();
  const run = await midway(world, "--json");
  const paused = await world.type("pause");
  expect(paused).toMatchObject({ code: 0, stderr: "" });
  const [, id = ""] =
    /^Run (\S+) on this machine is paused\. Continue it with: npx sluice resume \1\n$/.exec(paused.stdout) ?? [];
  await run.printed("Pausing: tasks in flight finish and are recorded.");
  await setTimeout(VALID_MILLISECONDS);
  world.open();
  const stopped = await run.ended;
  expect(stopped.code).toBe(130);
  expect(stopped.json.at(-1)).toEqual({
    type: "message",
    message: expect.stringMatching(
      /^Paused\. Nothing is lost\. Continue run \S+ with: npx sluice resume \S+gated\.ts$/,
    ),
  });
  // No task began after the pause.
  expect(await statusOf(world)).toMatchObject({
    run: id,
    status: "paused",
    interrupted: false,
    produced: 100,
    succeeded: 13,
    dead: 1,
    pending: 86,
  });
  const refused = await world.type("run", workflowFile("gated"), "--json");
  expect(refused.code).toBe(1);
  expect(refused.json).toEqual([
    {
      type: "error",
      code: "RUN_UNFINISHED",
      message: expect.stringMatching(/has not ended: it is paused, with 14 items settled\. .*resume gated\./),
    },
  ]);

  world.close();
  const resumed = world.begin("resume", id);
  // The messages that the pause put back become visible one by one, so an environment may begin with one task.
  await world.begun(5);
  resumed.process.kill("SIGINT");
  await resumed.printed("Stopping: tasks in flight finish and are recorded.");
  world.open();
  const interrupted = await resumed.ended;
  expect(interrupted.code).toBe(130);
  // An environment that received its messages just before the interrupt may have begun them.
  const inFlight = world.begunTasks - 4;
  expect(inFlight).toBeLessThanOrEqual(4);
  expect(interrupted.stderr).toMatch(
    /Interrupted\. Nothing is lost\. Continue run \S+ with: npx sluice resume \S+gated\.ts\n$/,
  );
  expect(await statusOf(world)).toMatchObject({
    run: id,
    status: "running",
    interrupted: true,
    succeeded: 13 + inFlight,
    dead: 1,
    pending: 86 - inFlight,
  });
  const shown = await world.type("status");
  expect(shown.stdout).toMatch(new RegExp(`${id} +interrupted`));
  expect((await world.type("status", id)).stdout).toContain(`run ${id} · interrupted\n`);
  expect((await world.type("status", id)).stdout).toMatch(
    /No engine is working on this run\. Continue it with: npx sluice resume \S+\n/,
  );

  expectWhole(await world.type("resume", "--json"));
});

test.each(["gated", "needy"])(
  "a run of %s that is interrupted during the start-up ends at once, and leaves nothing behind",
  async (name) => {
    using world = new CliWorld();
    world.open();
    if (name === "gated") Object.assign(world.environment, signalAtWrite("workflow.json", "SIGINT"));
    const run = world.begin("run", workflowFile(name));
    world.environment.NODE_OPTIONS = "";
    if (name === "needy") {
      await world.exists("starting");
      run.process.kill("SIGINT");
    }
    const interrupted = await run.ended;
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(
      /Interrupted\. Nothing is lost\. Continue run \S+ with: npx sluice resume \S+\.ts\n$/,
    );
    expect((await world.type("status")).stdout).toMatch(/^Run \S+ of \S+\.ts was interrupted before it began\. .*\n$/);

    // Nothing of it runs beside the next run.
    expectWhole(await world.type("run", workflowFile("gated"), "--json"));
    expect((await world.type("status", "--json")).json).toHaveLength(1);
  },
);

test("a run that is killed with all its processes, before it was recorded or amid its tasks, is completed by resume", async () => {
  using world = new CliWorld();
  world.deliverInOrder();
  Object.assign(world.environment, signalAtWrite("workflow.json", "SIGKILL"));
  const run = world.begin("run", workflowFile("gated"));
  world.environment.NODE_OPTIONS = "";
  await run.ended;
  const [message, ...runs] = (await world.type("status", "--json")).json;
  expect(runs).toEqual([]);
  expect(message?.message).toMatch(
    /^Run \S+ of \S+\.ts was interrupted before it began\. Begin it with: npx sluice resume \S+$/,
  );

  const resumed = world.begin("resume");
  await untilMidway(world);
  await world.kill(resumed);
  expect(await statusOf(world)).toMatchObject({ status: "running", succeeded: 9, dead: 1, pending: 90 });

  world.open();
  expectWhole(await world.type("resume", "gated", "--json"));
});

test("a run is cancelled from another process: what is queued is dropped, and the counts are exact", async () => {
  using world = new CliWorld();
  const run = await midway(world, "--json");
  const refused = await world.type("cancel");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /Cancel run \S+ of gated on this machine\? 90 queued items will be dropped\. .* add --yes/,
  );
  const { code, stdout } = await world.type("cancel", "gated", "--yes");
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^Run \S+ on this machine is being cancelled\. Watch it with: npx sluice status \S+ --watch\n$/,
  );
  const watch = world.begin("status", "--watch", "--json");
  await watch.printed('"status":"cancelling"');
  // Until then, a consumer may begin a task because it has asked for the run's status before the cancel.
  await setTimeout(VALID_MILLISECONDS);
  world.open();
  const ended = await run.ended;
  expect(ended.code).toBe(1);
  // The tasks in flight finish.
  const counts = { produced: 100, succeeded: 13, dead: 1, cancelled: 86 };
  expect(ended.json.at(-1)).toMatchObject({ type: "summary", status: "cancelled", ...counts });
  const watched = await watch.ended;
  expect(watched.code).toBe(0);
  expect(watched.json.at(-1)).toMatchObject({ status: "cancelled", ...counts, pending: 0 });
});

test("SIGTERM reaches the signal of a source that reads a page, and the command ends without waiting for the page", async () => {
  using world = new CliWorld();
  const run = world.begin("run", workflowFile("slow-source"), "--json");
  const markers = (start: string) => readdirSync(world.path).filter((name) => name.startsWith(start));
  await world.until(async () => markers("reading-").length > 0);
  run.process.kill("SIGTERM");
  // The source never yields this page.
  expect((await run.ended).code).toBe(130);
  expect(markers("aborted-")).toHaveLength(1);
  expect((await world.type("status", "--json")).json).toMatchObject([{ status: "running", interrupted: true }]);
});

test("a second interrupt waits for no task, and a run on which nothing works is cancelled by the command itself", async () => {
  using world = new CliWorld();
  const run = await midway(world);
  run.process.kill("SIGINT");
  await run.printed("Press Ctrl-C again to stop at once.");
  run.process.kill("SIGINT");
  const interrupted = await run.ended;
  expect(interrupted.code).toBe(130);
  expect(interrupted.stderr).toContain("Interrupted. Nothing is lost");
  expect(interrupted.stderr).not.toContain("    at ");

  const { code, json } = await world.type("cancel", "--yes", "--json");
  expect(code).toBe(1);
  expect(json.at(-1)).toMatchObject({ status: "cancelled", produced: 100, succeeded: 9, dead: 1, cancelled: 90 });
  expect((await world.type("cancel", "gated", "--yes")).stderr).toMatch(/has already ended: it is cancelled/);
});
