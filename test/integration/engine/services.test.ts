import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startDynamoDbThread } from "../../../local/dynamodb/dynalite-thread.ts";
import { startEngine } from "../../../local/engine.ts";
import { openServices, reachServices } from "../../../local/local-services.ts";
import { ProcessLock } from "../../../local/process-lock.ts";
import { StateDirectory, type Use } from "../../../local/state-directory.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { defineWorkflow, items } from "../../../shared/index.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

const workflow = defineWorkflow({ name: "mine", source: items([]), task: () => {}, concurrency: 10 });

let directory: string;
let state: StateDirectory;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-services-"));
  state = new StateDirectory("mine", directory);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

test("closing DynamoDB twice is no error", async () => {
  const dynamoDb = await startDynamoDbThread({ path: join(directory, "tables"), accessKeyId: "test" });
  await dynamoDb.close();
  await dynamoDb.close();
});

test("an engine that cannot start says why, and its services can still be closed", async () => {
  const shape = topology(workflow);
  const services = await openServices({ workflow: "mine", topology: shape, state });
  const workflowFile = join(directory, "workflow.ts");
  writeFileSync(workflowFile, 'import "./missing.ts";');

  await expect(
    startEngine({ workflow, workflowFile, topology: shape, state, variables: {} }, services),
  ).rejects.toThrow('Could not resolve "./missing.ts"');
  await services.close();
});

test("the error names tables that cannot be opened, and neither the command nor the directory stays locked", async () => {
  mkdirSync(state.path);
  writeFileSync(state.tables, "no directory");

  await expect(openServices({ workflow: "mine", state })).rejects.toThrow(
    `${state.tables} is damaged: it is no directory`,
  );
  rmSync(state.tables);
  const services = await openServices({ workflow: "mine", state });
  await services.close();
});

/** The directory as the process holds it that runs `holding-process.ts`. */
async function heldBy(use: Use): Promise<{ readonly pid: number; release(): Promise<void> }> {
  const child = fork(fileURLToPath(new URL("../../helpers/holding-process.ts", import.meta.url)), [directory, use], {
    execArgv: ["--no-warnings"],
  });
  const ended = once(child, "exit");
  await once(child, "message");
  return {
    pid: child.pid ?? 0,
    async release() {
      child.send("release");
      await ended;
    },
  };
}

test("of several processes that start fresh at once, one gets the directory, and the lock files stay the same files", async () => {
  const held = await heldBy("engine");
  const refused = `an engine (process ${held.pid}) works in ${state.path}: wait until it is done, or end it first`;
  await expect(openServices({ workflow: "mine", state, topology: topology(workflow), fresh: true })).rejects.toThrow(
    refused,
  );
  expect(state.lock("look")).toBe(false);
  const inode = () => statSync(join(state.path, "engine.lock")).ino;
  const before = inode();
  await held.release();
  writeFileSync(join(state.path, "left"), "by an engine before");

  const services = await openServices({ workflow: "mine", state, topology: topology(workflow), fresh: true });
  expect(existsSync(join(state.path, "left"))).toBe(false);
  expect(inode()).toBe(before);
  await services.close();
});

test("a directory whose lock owner was killed is free, even if another process has its process id now", async () => {
  expect(state.lock("engine")).toBe(true);
  state.unlock();
  writeFileSync(join(state.path, "engine.json"), JSON.stringify({ pid: process.ppid, use: "engine", endpoints: {} }));

  expect(state.lockOwner()).toBeUndefined();
  const services = await reachServices("mine", state);
  await services.close();
});

test("an engine waits for a command that only looks", async () => {
  const held = await heldBy("look");
  expect(state.lockOwner()).toMatchObject({ pid: held.pid, use: "look" });
  expect(state.lockedError().message).toMatch(/^another command \(process \d+\) works in /);
  const opened = openServices({ workflow: "mine", state, topology: topology(workflow) });
  await held.release();
  await (await opened).close();
});

test("services stay open for the commands that use them, and accept no others when they are about to end", async () => {
  const services = await openServices({ workflow: "mine", state });
  const others = new StateDirectory("mine", directory);
  const user = new ProcessLock(join(state.path, "guests.lock"));
  expect(user.share()).toBe(true);
  let closed = false;
  const closing = services.close().then(() => {
    closed = true;
  });
  await vi.waitUntil(() => !readFileSync(join(state.path, "engine.json"), "utf8").includes("endpoints"), PATIENTLY);
  expect(closed).toBe(false);
  expect(others.useServices()).toBeUndefined();
  user.release();
  await closing;
});

test("the error names a directory that cannot be used, and says what to do", () => {
  writeFileSync(state.path, "no directory");
  expect(() => state.lock("look")).toThrow(
    expect.objectContaining({
      code: "STATE_UNUSABLE",
      message: expect.stringMatching(
        new RegExp(`^${state.path}, where queues and ledger are kept, cannot be used: .*EEXIST.*Run the command in a `),
      ),
    }),
  );
  expect(() => StateDirectory.all(state.path)).toThrow(/cannot be used: ENOTDIR/);
});
