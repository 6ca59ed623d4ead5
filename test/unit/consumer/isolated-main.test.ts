import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as z from "zod";
import { PrivateChannel } from "../../../shared/base/private-channel.ts";
import { serveIsolatedAttempt } from "../../../shared/consumer/attempts/isolated-main.ts";
import * as stray from "../../../shared/consumer/attempts/stray-errors.ts";
import { defineWorkflow, type WorkflowOptions } from "../../../shared/index.ts";
import { turns } from "../../helpers/fake-isolated-process.ts";
import { recordingLogger } from "../../helpers/recording-metrics.ts";
import { plainContext } from "../../helpers/task-context.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const EVENTS = ["uncaughtException", "unhandledRejection", "SIGINT"] as const;
const saved = EVENTS.map((event) => ({ event, listeners: process.listeners(event as "SIGINT") }));
const { send, disconnect, connected } = process;

const channel = {
  sent: [] as unknown[],
  onSent: [] as (() => void)[],
  onMessage: vi.fn<(listener: (message: unknown) => void) => void>(),
  onClose: vi.fn<(listener: () => void) => void>(),
  send(message: unknown, sent?: () => void) {
    this.sent.push(message);
    if (sent !== undefined) this.onSent.push(sent);
  },
};
const exit = vi.fn();

beforeEach(() => {
  channel.sent.length = channel.onSent.length = 0;
  exit.mockReset();
  channel.onMessage.mockReset();
  channel.onClose.mockReset();
  vi.spyOn(PrivateChannel, "toParent").mockResolvedValue(channel as unknown as PrivateChannel);
  vi.spyOn(process, "exit").mockImplementation(exit as never);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const { event, listeners } of saved) {
    process.removeAllListeners(event);
    for (const listener of listeners) process.on(event, listener);
  }
  Object.assign(process, { send, disconnect, connected });
});

const request = (item: unknown) => ({
  itemText: JSON.stringify(item),
  context: { ...plainContext(), attempt: 3 },
  timeoutMilliseconds: 60_000,
});

/** A process that is ready, and what its parent can do. */
async function ready(options: Partial<WorkflowOptions>) {
  const taskLogger = vi.fn(() => recordingLogger());
  await serveIsolatedAttempt(defineWorkflow(workflowOptions(options)), taskLogger);
  return {
    taskLogger,
    async send(message: unknown) {
      channel.onMessage.mock.calls[0]?.[0](message);
      await turns();
    },
    end: () => channel.onClose.mock.calls[0]?.[0](),
  };
}

test("the process of an isolated attempt says that it is ready, and waits", async () => {
  await ready({});
  expect(channel.sent).toEqual([{ tag: "ready" }]);
  expect(exit).not.toHaveBeenCalled();
});

test("it makes the attempt, answers, and ends when the answer has left", async () => {
  const task = vi.fn();
  const parent = await ready({ task });
  await parent.send(request("a"));
  expect(task).toHaveBeenCalledExactlyOnceWith("a", expect.objectContaining({ ...plainContext(), attempt: 3 }));
  expect(parent.taskLogger).toHaveBeenCalledExactlyOnceWith({ id: "r/0/0", attempt: 3 });
  expect(task.mock.calls[0]?.[1].logger).toBe(parent.taskLogger.mock.results[0]?.value);
  expect(channel.sent).toEqual([{ tag: "ready" }, { tag: "succeeded" }]);
  expect(exit).not.toHaveBeenCalled();
  for (const sent of channel.onSent) sent();
  expect(exit).toHaveBeenCalledExactlyOnceWith(0);
});

test("it checks the item, and answers that it does not fit", async () => {
  const task = vi.fn();
  const schema = {
    "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [{ message: "must be a number" }] }) },
  } as const;
  const parent = await ready({ task, item: schema });
  await parent.send(request("a"));
  expect(task).not.toHaveBeenCalled();
  expect(channel.sent[1]).toMatchObject({ tag: "failed", kind: "invalid" });
});

test.each([true, false, undefined])("it keeps the result only if the run does (%s)", async (keepsResult) => {
  const parent = await ready({ task: () => ({ noon: 12 }) });
  await parent.send({ ...request("a"), keepsResult });
  expect(JSON.stringify(channel.sent[1]).includes("noon")).toBe(keepsResult === true);
});

test("it checks a result that is kept", async () => {
  const parent = await ready({ task: () => "noon", results: true, result: z.number() });
  await parent.send({ ...request("a"), keepsResult: true });
  expect(channel.sent[1]).toMatchObject({ tag: "failed", kind: "threw" });
});

test("it makes only one attempt", async () => {
  const task = vi.fn();
  const parent = await ready({ task });
  await parent.send(request("a"));
  await parent.send(request("b"));
  expect(task).toHaveBeenCalledTimes(1);
});

test("it ends with its parent", async () => {
  const parent = await ready({});
  parent.end();
  expect(exit).toHaveBeenCalledExactlyOnceWith(0);
});

test("it finishes its attempt at Ctrl-C, and contains stray errors and messages of its task", async () => {
  const contain = vi.spyOn(process, "removeAllListeners");
  const before = process.listenerCount("SIGINT");
  await ready({});
  expect(process.listenerCount("SIGINT")).toBe(before + 1);
  expect(contain).toHaveBeenCalledWith("uncaughtException");
  expect(process.listenerCount("uncaughtException")).toBe(1);
  // A task cannot send to the parent.
  expect(process.send).not.toBe(send);
  expect(stray.runInScope({ fail: () => true }, () => 1)).toBe(1);
  expect(exit).not.toHaveBeenCalled();
});
