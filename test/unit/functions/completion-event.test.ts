import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { completionEvents } from "../../../functions/completion-event.ts";
import type { RunSummary } from "../../../shared/definition/on-complete.ts";

const SUMMARY: RunSummary = {
  workflow: "cities",
  run: "r1",
  status: "completed",
  produced: 2,
  succeeded: 2,
  dead: 0,
  cancelled: 0,
  retried: 0,
  deadByReason: {},
  warnings: ["the table is empty"],
  requestedAt: "2026-11-27T14:00:00.000Z",
  completedAt: "2026-11-27T14:00:05.000Z",
  wallSeconds: 5,
};

let bus: Server;
let answer: object;
let status: number;
let entries: Record<string, string | number>[];
let requests: IncomingHttpHeaders[];
/** The statuses with which the bus throttles its first requests. */
let refusals: number[];

beforeEach(async () => {
  refusals = [];
  entries = [];
  requests = [];
  status = 200;
  answer = { Entries: [{ EventId: "1" }], FailedEntryCount: 0 };
  bus = createServer(async (request, response) => {
    entries.push(...JSON.parse(await text(request)).Entries);
    requests.push(request.headers);
    const refusal = refusals.shift();
    if (refusal !== undefined) {
      response.writeHead(refusal).end(JSON.stringify({ __type: "ThrottlingException", message: "later" }));
      return;
    }
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer));
  }).listen(0, "127.0.0.1");
  await once(bus, "listening");
  vi.stubEnv("AWS_ENDPOINT_URL_EVENTBRIDGE", `http://127.0.0.1:${(bus.address() as AddressInfo).port}`);
  vi.stubEnv("AWS_REGION", "eu-central-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "nobody");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "nothing");
});

afterEach(() => {
  vi.unstubAllEnvs();
  bus.closeAllConnections();
  bus.close();
});

test("the event at a run's end has the summary and the stack, so that a rule can distinguish two stages", async () => {
  await completionEvents("default", "sluice-prod-cities")(SUMMARY);
  const [{ Detail = "", ...entry } = {}, ...others] = entries;
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ EventBusName: "default", Source: "sluice", DetailType: "Sluice Run Ended" });
  expect(entry.Time).toBe(Date.parse(SUMMARY.completedAt) / 1_000);
  expect(JSON.parse(String(Detail))).toEqual({ ...SUMMARY, stack: "sluice-prod-cities" });
});

test("an event that the bus refuses is an error with the reason", async () => {
  answer = { Entries: [{ ErrorCode: "InternalFailure", ErrorMessage: "try later" }], FailedEntryCount: 1 };
  await expect(completionEvents("default", undefined)(SUMMARY)).rejects.toThrow(
    "EventBridge: InternalFailure: try later",
  );
});

test("the request is signed for EventBridge in the function's region", async () => {
  await completionEvents("default", undefined)(SUMMARY);
  expect(requests).toMatchObject([
    { "x-amz-target": "AWSEvents.PutEvents", "content-type": "application/x-amz-json-1.1" },
  ]);
  expect(requests[0]?.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=nobody\/\d{8}\/eu-central-1\/events\/aws4_request/,
  );
});

test("a request that EventBridge throttles is repeated, so that onComplete need not be", async () => {
  refusals = [400, 503];
  await completionEvents("default", undefined)(SUMMARY);
  expect(requests).toHaveLength(3);
});

test("a request that EventBridge refuses is an error of its name", async () => {
  status = 400;
  answer = { __type: "AccessDeniedException", message: "not you" };
  await expect(completionEvents("default", undefined)(SUMMARY)).rejects.toMatchObject({
    name: "AccessDeniedException",
    message: "not you",
  });
});
