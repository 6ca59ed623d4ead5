/**
 * An execution environment: a process of its own that runs one bundled handler, one invocation at a time. Started by
 * `ExecutionEnvironment`, with the bundle's path as its argument.
 */

import { subscribe } from "node:diagnostics_channel";
import { flushCompileCache } from "node:module";
import { pathToFileURL } from "node:url";
import { ATTEMPT_CHANNEL, type AttemptEvent } from "../../shared/base/events.ts";
import { PrivateChannel } from "../../shared/base/private-channel.ts";
import { describeThrown } from "../../shared/base/thrown.ts";
import type { Activity, FromEnvironment, Invocation } from "./runtime-protocol.ts";

/** How often what tasks did is reported: often enough for a live display. */
const REPORT_MILLISECONDS = 50;

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

// The engine may be gone; then so is this process, a moment later.
const channel = await PrivateChannel.toParent();
const send = (message: FromEnvironment) => channel.send(message);

// The end of a retired environment: what it did since the last report is not lost.
process.on("exit", () => {
  if (timer !== undefined) report();
});
// As in Lambda's runtime: an error that nobody catches ends the environment, unless the bundle contains it.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error) => {
    // Reading it may throw.
    console.error(event, describeThrown(error));
    process.exit(1);
  });
}
// Never outlive the engine, which may be killed at any moment.
channel.onClose(() => process.exit(0));
// Ctrl-C reaches the whole process group: the engine decides when its environments end.
process.on("SIGINT", () => {});

let inFlight = 0;
let peakInFlight = 0;
let succeeded = 0;
let retried = 0;
let deadByReason: Record<string, number> = {};
let timer: NodeJS.Timeout | undefined;

subscribe(ATTEMPT_CHANNEL, (message) => {
  // Tasks may publish there too. The ledger counts, not this.
  if (typeof message !== "object" || message === null) return;
  const event = message as AttemptEvent;
  if (event.event === "started") inFlight++;
  else if (event.event === "ended") inFlight--;
  else if (event.event === "succeeded") succeeded += event.count;
  else if (event.event === "retried") retried++;
  else deadByReason[event.reason] = (deadByReason[event.reason] ?? 0) + 1;
  peakInFlight = Math.max(peakInFlight, inFlight);
  timer ??= setTimeout(report, REPORT_MILLISECONDS);
});

function report(): void {
  clearTimeout(timer);
  timer = undefined;
  const activity: Activity = {
    type: "activity",
    inFlight,
    peakInFlight,
    succeeded,
    retried,
    deadByReason,
    peakMemoryMb: peakMemoryMb(),
  };
  send(activity);
  peakInFlight = inFlight;
  succeeded = 0;
  retried = 0;
  deadByReason = {};
}

// The peak, as the operating system counts it: what falls between two samples is seen too.
const peakMemoryMb = () => process.resourceUsage().maxRSS / 1_024;

async function invoke(handler: Handler, { requestId, functionName, timeoutMilliseconds, memoryMb, event }: Invocation) {
  const deadline = Date.now() + timeoutMilliseconds;
  const context = {
    functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${functionName}`,
    memoryLimitInMB: String(memoryMb),
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: String(process.pid),
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  try {
    const result = await handler(event, context);
    if (timer !== undefined) report();
    send({ type: "result", requestId, result: result ?? null, peakMemoryMb: peakMemoryMb() });
  } catch (error) {
    const { name, message, stack } = describeThrown(error);
    console.error("the handler failed", stack === "" ? `${name}: ${message}` : stack);
    if (timer !== undefined) report();
    send({ type: "error", requestId, error: `${name}: ${message}`, peakMemoryMb: peakMemoryMb() });
  }
}

const [bundle] = process.argv.slice(2);
if (bundle === undefined) throw new Error("the bundle's path is missing");
const { handler } = (await import(pathToFileURL(bundle).href)) as { handler: Handler };
// The next environment need not compile what this one has: left to its end, which is SIGKILL, it would never be written.
flushCompileCache();
channel.onMessage((message) => void invoke(handler, message as Invocation));
send({ type: "ready" });
