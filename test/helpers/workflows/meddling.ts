import { channel } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import vm from "node:vm";
import { defineWorkflow, items } from "../../../shared/index.ts";

const activity = {
  type: "activity",
  inFlight: 1e9,
  peakInFlight: 1e9,
  succeeded: 1e9,
  retried: 1e9,
  throttled: 1e9,
  deadByReason: {},
};
const forged = [null, "text", activity, { type: "result", requestId: "1", result: null }, { type: "ready" }];

const meddles: Readonly<Record<string, () => unknown>> = {
  "sends null": () => process.send?.(null),
  "sends forged messages": () => {
    for (const message of forged) process.send?.(message);
  },
  "emits forged messages": () => {
    for (const message of forged) process.emit("message", message, undefined);
  },
  "writes to the descriptors": () => {
    for (const message of forged) writeSync(3, `${JSON.stringify(message)}\n`);
    writeSync(3, "\0".repeat(100_000));
  },
  "publishes null": () => channel("sluice.attempt").publish(null),
  disconnects: () => process.disconnect(),
  "removes all listeners": () => process.removeAllListeners(),
  "throws an error of another realm": () => {
    throw vm.runInNewContext('new TypeError("x")');
  },
  "throws an error whose name throws": () => {
    const get = () => {
      throw new Error("no name");
    };
    throw Object.defineProperty(new Error("readable"), "name", { get });
  },
};

/** Tasks that reach for what connects their process with the engine, and two that throw what is hard to describe. */
export default defineWorkflow({
  name: "meddling",
  source: items([...Object.keys(meddles), "good"]),
  task: (item) => void meddles[item]?.(),
  concurrency: 4,
  tasksPerEnvironment: 2,
  retry: { attempts: 1 },
});
