/** In place of a consumer's bundle, for isolated attempts that end as their item says. */
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { checkResponse } from "../../shared/base/check-response.ts";
import { PermanentError, RetryLater, Throttled } from "../../shared/base/task-errors.ts";
import { serveIsolatedAttempt } from "../../shared/consumer/attempts/isolated-main.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
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
  "does all it can to its parent": () => {
    const forged = { tag: "failed", kind: "threw", error: { name: "Forged", message: "forged" } };
    process.send?.(null);
    process.send?.(forged);
    process.emit("message", forged, undefined);
    writeSync(3, `${JSON.stringify(forged)}\n`);
    writeSync(3, "x".repeat(100_000));
    process.disconnect();
    process.removeAllListeners();
  },
  "fills its memory with buffers": () => {
    const buffers: Buffer[] = [];
    // Slower than the memory watch looks, and without an end.
    const fill = () => void buffers.push(Buffer.alloc(20_000_000, 1));
    return new Promise(() => setInterval(fill, 20));
  },
  "is killed": () => process.kill(process.pid, "SIGKILL"),
  spins: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
};

// Nothing but the task, so that it starts as fast as a bundle.
const workflow = {
  name: "test",
  task: (item, { signal, logger: _, ...context }) => {
    const name = typeof item === "string" ? item : inspect(item);
    return name in tasks ? tasks[name]?.(signal, context) : Promise.reject(HOSTILE_VALUES[name]?.make());
  },
} satisfies Partial<Workflow>;
void serveIsolatedAttempt(workflow as unknown as Workflow, () => recordingLogger());
