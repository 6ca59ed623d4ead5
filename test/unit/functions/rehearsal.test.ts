import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, expect, test, vi } from "vitest";
import { rehearseBatch } from "../../../functions/rehearsed-batch.ts";
import { rehearseRun } from "../../../functions/rehearsed-run.ts";
import { defineWorkflow } from "../../../shared/index.ts";
import { ATTEMPT_CHANNEL, publish } from "../../../shared/observation.ts";
import { Queue } from "../../../shared/queue.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a rehearsed batch is worked through to its end, by no task of the workflow, and nobody is told", async () => {
  const task = vi.fn();
  const item = { "~standard": { version: 1, vendor: "test", validate: vi.fn() } } as const;
  const events: unknown[] = [];
  const note = (event: unknown) => void events.push(event);
  subscribe(ATTEMPT_CHANNEL, note);
  const deleted = vi.spyOn(Queue.prototype, "deleteAll");

  await rehearseBatch(defineWorkflow(workflowOptions({ task, item })));

  expect(deleted.mock.calls.map(([handles]) => handles.length)).toEqual([10, 10]);
  expect(task).not.toHaveBeenCalled();
  expect(item["~standard"].validate).not.toHaveBeenCalled();
  expect(events).toEqual([]);
  publish({ event: "started" });
  expect(events).toEqual([{ event: "started" }]);
  unsubscribe(ATTEMPT_CHANNEL, note);
});

test("a rehearsed run is sent to its end, and the workflow's source is not read", async () => {
  const readPage = vi.fn(async () => ({ items: [] }));
  const onComplete = vi.fn();
  const sent = vi.spyOn(Queue.prototype, "sendAll");

  await rehearseRun(defineWorkflow(workflowOptions({ source: { readPage }, onComplete, limit: 1 })));

  expect(sent.mock.calls.map(([messages]) => messages.length)).toEqual([200, 100]);
  expect(readPage).not.toHaveBeenCalled();
  expect(onComplete).not.toHaveBeenCalled();
});
