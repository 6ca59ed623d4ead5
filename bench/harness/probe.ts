/**
 * Loaded into an execution environment before its bundle: notes what each invocation did, with nothing of the bundle
 * changed. It listens to the engine's messages, to the consumer's diagnostics channel and to Node's own of HTTP clients.
 */

import { subscribe } from "node:diagnostics_channel";
import { appendFileSync } from "node:fs";
import type { ClientRequest } from "node:http";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import type { FromEnvironment, Invocation } from "../../local/lambda/runtime-protocol.ts";
import { ATTEMPT_CHANNEL, type AttemptEvent } from "../../shared/base/events.ts";
import { PrivateChannel } from "../../shared/base/private-channel.ts";
import { type InvocationReport, PROBE_ATTEMPTS, PROBE_DIRECTORY, reportFile } from "./probe-reports.ts";

const directory = process.env[PROBE_DIRECTORY];
const bundle = process.argv[2];
// Whatever else the environment's process may start needs no probe.
if (directory !== undefined && bundle !== undefined && /[/\\]lambda[/\\]runtime\.[jt]s$/.test(process.argv[1] ?? "")) {
  probe(reportFile(directory, bundle));
}

function probe(file: string): void {
  let startedAt = 0;
  let records = 0;
  let attempts: [number, 1 | -1][] = [];
  let requests: Record<string, number> = {};
  let cpu = process.cpuUsage();

  const begin = ({ event }: Invocation) => {
    startedAt = now();
    records = (event as SQSEvent).Records.length;
    attempts = [];
    requests = {};
    cpu = process.cpuUsage();
  };
  const end = (result: unknown) => {
    const { user, system } = process.cpuUsage(cpu);
    const report: InvocationReport = {
      function: file.includes("producer-") ? "producer" : "consumer",
      startedAt,
      endedAt: now(),
      records,
      failed: (result as SQSBatchResponse | null)?.batchItemFailures?.length ?? 0,
      attempts,
      requests,
      cpuSeconds: (user + system) / 1e6,
    };
    appendFileSync(file, `${JSON.stringify(report)}\n`);
  };

  // The environment has a channel of its own to the engine, of the same class.
  const { onMessage, send } = PrivateChannel.prototype;
  PrivateChannel.prototype.onMessage = function (listener) {
    onMessage.call(this, (message) => {
      if ((message as Invocation).type === "invoke") begin(message as Invocation);
      listener(message);
    });
  };
  PrivateChannel.prototype.send = function (message, sent) {
    const { type, ...rest } = message as FromEnvironment;
    if (type === "result" || type === "error") end("result" in rest ? rest.result : null);
    send.call(this, message, sent);
  };
  if (process.env[PROBE_ATTEMPTS]) {
    subscribe(ATTEMPT_CHANNEL, (message) => {
      const { event } = message as AttemptEvent;
      if (event === "started") attempts.push([now(), 1]);
      else if (event === "ended") attempts.push([now(), -1]);
    });
  }
  subscribe("http.client.request.start", (message) => {
    const action = (message as { request: ClientRequest }).request.getHeader("x-amz-target");
    if (typeof action === "string") requests[action] = (requests[action] ?? 0) + 1;
  });
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
