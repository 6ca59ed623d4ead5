/**
 * The runtime of an execution environment: a process that runs one bundled handler, one invocation at a time.
 * `ExecutionEnvironment` starts it with the path of the bundle as its argument.
 */

import { subscribe } from "node:diagnostics_channel";
import { flushCompileCache } from "node:module";
import { pathToFileURL } from "node:url";
import { ATTEMPT_CHANNEL, type AttemptEvent, SOURCE_CHANNEL, type SourceEvent } from "../../shared/base/events.ts";
import { PrivateChannel } from "../../shared/base/private-channel.ts";
import { describeThrown } from "../../shared/base/thrown.ts";
import { countDuration } from "../../shared/observe/durations.ts";
import type { Activity, FromEnvironment, Invocation } from "./runtime-protocol.ts";

/** How often the activity of the tasks is reported. This is often enough for a live display. */
const REPORT_MILLISECONDS = 50;

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

// If the engine has ended, sending fails, and this process ends a moment later.
const channel = await PrivateChannel.toParent();
const send = (message: FromEnvironment) => channel.send(message);

// An environment that ends reports its activity since the last report.
process.on("exit", () => {
  if (timer !== undefined) report();
});
// As in Lambda's runtime, an uncaught error ends the environment, unless the bundle handles it.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error) => {
    // Reading a property of the thrown value may throw.
    console.error(event, describeThrown(error));
    process.exit(1);
  });
}
// The engine may be killed at any time. This process must not outlive it.
channel.onClose(() => process.exit(0));
// Ctrl-C may reach this process too, and a service manager may send SIGTERM to all processes. The engine decides when
// its environments end. The producer's bundle listens to SIGTERM, too.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});

let inFlight = 0;
let peakInFlight = 0;
let succeeded = 0;
let retried = 0;
/** The failure of the first attempt since the last report that is made again. */
let failure: string | undefined;
let throttled = 0;
let deadByReason: Record<string, number> = {};
let durations: Record<number, number> | undefined;
/** The pages that are being read, with the times at which their reads began. */
const reads = new Map<object, number>();
let timer: NodeJS.Timeout | undefined;

subscribe(ATTEMPT_CHANNEL, (message) => {
  // Tasks can publish on this channel too. That changes only the display: exact counts come from the ledger.
  if (typeof message !== "object" || message === null) return;
  const event = message as AttemptEvent;
  if (event.event === "started") inFlight++;
  else if (event.event === "ended") {
    inFlight--;
    durations ??= {};
    countDuration(durations, event.milliseconds);
  } else if (event.event === "succeeded") succeeded += event.count;
  else if (event.event === "retried") {
    retried++;
    failure ??= event.failure;
  } else if (event.event === "throttled") throttled++;
  else deadByReason[event.reason] = (deadByReason[event.reason] ?? 0) + 1;
  peakInFlight = Math.max(peakInFlight, inFlight);
  timer ??= setTimeout(report, REPORT_MILLISECONDS);
});

subscribe(SOURCE_CHANNEL, (message) => {
  if (typeof message !== "object" || message === null) return;
  const { event, read } = message as SourceEvent;
  if (event === "reading") reads.set(read, Date.now());
  else reads.delete(read);
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
    ...(failure !== undefined && { failure }),
    throttled,
    deadByReason,
    ...(durations !== undefined && { durations }),
    readingSince: reads.values().next().value,
    peakMemoryMb: peakMemoryMb(),
  };
  send(activity);
  peakInFlight = inFlight;
  succeeded = 0;
  retried = 0;
  failure = undefined;
  throttled = 0;
  deadByReason = {};
  durations = undefined;
}

// The operating system knows the peak. Samples would miss it.
const peakMemoryMb = () => process.resourceUsage().maxRSS / 1_024;

async function invoke(handler: Handler, invocation: Invocation) {
  const { requestId, functionName, timeoutMilliseconds, memoryMb, event, trace } = invocation;
  // Lambda's runtime sets this variable for each invocation, and the SDK reads it for each request.
  // https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
  // biome-ignore lint/plugin: only the runtime of an environment may set it, and other code cannot pass it to the SDK
  if (trace !== undefined) process.env._X_AMZN_TRACE_ID = trace;
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
// Writes the compiled code for the next environment. Node would write it when the process ends, but SIGKILL ends it.
flushCompileCache();
channel.onMessage((message) => void invoke(handler, message as Invocation));
send({ type: "ready" });
