import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startDynamoDbThread } from "../../../local/dynamodb-thread.ts";
import { startEngine } from "../../../local/engine.ts";
import { openServices, reachServices } from "../../../local/services.ts";
import { StateDirectory } from "../../../local/state-directory.ts";
import { defineWorkflow, items } from "../../../shared/index.ts";
import { topology } from "../../../shared/topology.ts";

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

test("what is closed twice is closed", async () => {
  const dynamoDb = await startDynamoDbThread(join(directory, "tables"));
  await dynamoDb.close();
  await dynamoDb.close();
});

test("an engine that cannot start says why, and its services can be closed all the same", async () => {
  const shape = topology(workflow);
  const services = await openServices({ workflow: "mine", topology: shape, state });
  const workflowFile = join(directory, "workflow.ts");
  writeFileSync(workflowFile, 'import "./missing.ts";');

  await expect(
    startEngine({ workflow, workflowFile, topology: shape, state, variables: {} }, services),
  ).rejects.toThrow('Could not resolve "./missing.ts"');
  await services.close();
});

test("tables that cannot be opened are named, and nothing is left that would keep the command or the directory", async () => {
  mkdirSync(state.path);
  writeFileSync(state.tables, "no directory");

  await expect(openServices({ workflow: "mine", state })).rejects.toThrow(
    `the ledger's tables in ${state.tables} cannot be opened`,
  );
  rmSync(state.tables);
  const services = await openServices({ workflow: "mine", state });
  await services.close();
});

test("of two commands that start at once, one has the directory", () => {
  const other = new StateDirectory("mine", directory);
  state.lock();
  // As the other one sees it before this one has written who it is.
  rmSync(join(state.path, "engine.json"));

  const refused = `another engine works in ${state.path}: wait until it is done, or end it first`;
  expect(() => other.lock()).toThrow(refused);
  expect(() => other.drop()).toThrow(refused);
  state.unlock();
  other.drop();
  expect(existsSync(state.path)).toBe(false);
  other.lock();
  other.unlock();
});

test("a command that meets another one just as that takes the directory waits until it can look", async () => {
  const other = new StateDirectory("mine", directory);
  other.lock();
  rmSync(join(state.path, "engine.json"));
  const reached = reachServices("mine", state);
  setImmediate(() => other.unlock());

  const services = await reached;
  await services.close();
});

test("a directory that cannot be written is named, with what to do", () => {
  writeFileSync(state.path, "no directory");

  expect(() => state.lock()).toThrow(
    expect.objectContaining({
      code: "STATE_UNWRITABLE",
      message: expect.stringMatching(
        new RegExp(
          `^${state.path}, where queues and ledger are kept, cannot be written: .*EEXIST.*Run the command in a `,
        ),
      ),
    }),
  );
});
