import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, expect, test, vi } from "vitest";
import { WARM_UP_MILLISECONDS } from "../../../functions/environment-warm-up.ts";
import { functionServices } from "../../../functions/function-services.ts";
import * as fastPath from "../../../shared/aws/fast-path.ts";
import type { FunctionEnvironment } from "../../../shared/definition/function-environment.ts";
import { itemLedger } from "../../../shared/ledger/item-ledger.ts";
import { httpServer, silentServer } from "../../helpers/silent-servers.ts";

vi.mock("../../../shared/aws/fast-path.ts", { spy: true });

beforeEach(() => {
  vi.mocked(fastPath.useFastPath).mockClear();
});

/** The environment of a function, all of whose services are at one endpoint. */
function environmentOf(endpoint: string, changes: Partial<FunctionEnvironment> = {}): FunctionEnvironment {
  const url = (name: string) => `${endpoint}/000000000000/${name}`;
  return {
    queueUrl: url("queue"),
    deadLetterQueueUrl: url("dead"),
    controlQueueUrl: url("control.fifo"),
    controlDeadLetterQueueUrl: url("control-dead.fifo"),
    access: {
      sqsEndpoint: endpoint,
      dynamoDbEndpoint: endpoint,
      region: "us-east-1",
      accessKeyId: "key",
      secretAccessKey: "secret",
    },
    table: "ledger",
    concurrency: 10,
    tasksPerEnvironment: 5,
    maxBacklog: 100,
    sliceSeconds: 60,
    controlVisibilitySeconds: 30,
    refillSeconds: 30,
    refillWaitingSeconds: 2,
    refillVisibilitySeconds: 40,
    fastPath: true,
    ...changes,
  };
}

/** How many of the function's own clients bypass the SDK. The clients of the warm-up count no fallbacks. */
const bypasses = () => vi.mocked(fastPath.useFastPath).mock.calls.filter(([, , onFallback]) => onFallback).length;

test("the fast path is used by the function's own clients, and by none of them if it is off", async () => {
  const { endpoint } = await silentServer();
  await functionServices(environmentOf(endpoint), { sockets: 1, usesControlQueue: true, ledgerOf: itemLedger });
  expect(bypasses()).toBe(2);
  vi.mocked(fastPath.useFastPath).mockClear();
  await functionServices(environmentOf(endpoint, { fastPath: false }), {
    sockets: 1,
    usesControlQueue: true,
    ledgerOf: itemLedger,
  });
  expect(bypasses()).toBe(0);
});

test.each([true, false])(
  "the start asks the control queue something if the function uses it: %s",
  async (usesControlQueue) => {
    const asked = new Set<string>();
    const endpoint = await httpServer((request, response) => {
      let body = "";
      request.on("data", (part) => {
        body += part;
      });
      request.on("end", () => {
        asked.add(String(JSON.parse(body).QueueUrl).split("/").at(-1) ?? "");
        response.setHeader("content-type", "application/x-amz-json-1.0").end("{}");
      });
    });

    // The warm-up has as much time as it needs.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      await functionServices(environmentOf(endpoint), { sockets: 1, usesControlQueue, ledgerOf: itemLedger });
    } finally {
      vi.useRealTimers();
    }

    expect(asked).toContain("queue");
    expect(asked.has("control.fifo")).toBe(usesControlQueue);
  },
);

test("an endpoint that never responds delays the start by the second of the warm-up, not by the timeouts of a request", async () => {
  const { endpoint, connections } = await silentServer();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const started = functionServices(environmentOf(endpoint), {
      sockets: 1,
      usesControlQueue: true,
      ledgerOf: itemLedger,
    });
    while (connections() === 0) await nextTurn();
    // No request times out in this time: only the warm-up's own limit can end the wait.
    expect(WARM_UP_MILLISECONDS).toBe(1_000);
    await vi.advanceTimersByTimeAsync(WARM_UP_MILLISECONDS);
    await started;
  } finally {
    vi.useRealTimers();
  }
});
