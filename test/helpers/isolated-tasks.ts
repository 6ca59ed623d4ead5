/** In place of a consumer's bundle, for isolated attempts that end as their item says. */
import { inspect } from "node:util";
import { checkResponse } from "../../shared/base/check-response.ts";
import { serveIsolatedAttempt } from "../../shared/consumer/isolated-process.ts";
import { PermanentError, RetryLater, Throttled } from "../../shared/task-errors.ts";
import type { Workflow } from "../../shared/workflow.ts";
import { HOSTILE_VALUES } from "./hostile-values.ts";
import { recordingLogger } from "./recording-metrics.ts";

const tasks: Readonly<Record<string, (signal: AbortSignal, context: object) => unknown>> = {
  succeeds: () => Promise.resolve("whatever"),
  throws: () => Promise.reject(Object.assign(new RangeError("too far"), { code: 7 })),
  "throws from a timer": () => {
    setTimeout(() => {
      throw new Error("stray");
    });
    return new Promise(() => {});
  },
  "is permanent": () => Promise.reject(new PermanentError("never")),
  "asks for later": () => Promise.reject(new RetryLater({ seconds: 3 })),
  "tells its context": (_, context) => Promise.reject(new Error(JSON.stringify(context))),
  "is throttled": () => Promise.reject(new Throttled()),
  "is refused": async () => checkResponse(new Response("say please", { status: 400 })),
  "heeds its signal": (signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  "never settles": () => new Promise(() => {}),
  "[ 1234567890123456789n, 5n ]": () => Promise.resolve(),
  exits: () => process.exit(3),
  "is killed": () => process.kill(process.pid, "SIGKILL"),
  spins: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
};

// Nothing but the task, so that it starts as fast as a bundle.
const workflow = {
  name: "test",
  task: (item, { signal, logger: _, ...context }) => {
    const name = typeof item === "string" ? item : inspect(item);
    return tasks[name]?.(signal, context) ?? Promise.reject(HOSTILE_VALUES[name]?.make());
  },
} satisfies Partial<Workflow>;
serveIsolatedAttempt(workflow as unknown as Workflow, () => recordingLogger());
