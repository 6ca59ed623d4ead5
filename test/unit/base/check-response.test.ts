import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { runAttempt } from "../../../shared/consumer/attempts/attempt.ts";
import { checkResponse, PermanentError, ResponseError, Throttled } from "../../../shared/index.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { taskContext } from "../../helpers/task-context.ts";

const soon = { "retry-after": "3" };
const usedUp = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "4" };

test.each([200, 204, 206, 299])("status %i is returned unchanged", (status) => {
  const response = new Response(null, { status });
  expect(checkResponse(response)).toBe(response);
});

test.each([
  [429, {}, Throttled, undefined],
  [429, soon, Throttled, 3_000],
  [403, usedUp, Throttled, 4_000],
  [403, soon, Throttled, 3_000],
  [503, soon, Throttled, 3_000],
  [503, {}, ResponseError, undefined],
  [500, soon, ResponseError, undefined],
  [502, {}, ResponseError, undefined],
  [504, {}, ResponseError, undefined],
  [599, {}, ResponseError, undefined],
  [408, {}, ResponseError, undefined],
  [421, {}, ResponseError, undefined],
  [425, {}, ResponseError, undefined],
  [403, {}, PermanentError, undefined],
  [403, { "x-ratelimit-remaining": "9", "x-ratelimit-reset": "4" }, PermanentError, undefined],
  [400, {}, PermanentError, undefined],
  [401, {}, PermanentError, undefined],
  [404, soon, PermanentError, undefined],
  [409, {}, PermanentError, undefined],
  [422, {}, PermanentError, undefined],
  [302, { location: "/elsewhere" }, PermanentError, undefined],
  [304, {}, PermanentError, undefined],
] as const)("status %i with %j throws the right error", (status, headers, type, afterMilliseconds) => {
  const thrown = thrownBy(new Response(null, { status, headers: Object.entries(headers) as [string, string][] }));
  expect(thrown).toBeInstanceOf(type);
  expect(thrown).toMatchObject({ message: `the service answered ${status}` });
  expect((thrown as Throttled).afterMilliseconds).toBe(afterMilliseconds);
});

function thrownBy(response: Response): unknown {
  try {
    checkResponse(response);
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
}

async function serve(listener: RequestListener) {
  const sockets = new Set<Socket>();
  const server = createServer(listener).on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}

/** What an attempt is recorded with. */
async function attempt(task: () => Promise<unknown>) {
  return await runAttempt({
    task,
    schema: undefined,
    item: undefined,
    context: taskContext(),
    timeoutMilliseconds: 60_000,
    deadline: Number.POSITIVE_INFINITY,
    now: Date.now,
  });
}

test("the failure holds the status, the URL without its query, and the start of the body", async () => {
  const { url } = await serve((_, response) =>
    response.writeHead(422).end(`{"error":\n  "no such ${"x".repeat(9_999)}`),
  );
  const outcome = await attempt(async () => checkResponse(await fetch(`${url}/charges/7?key=secret`)));
  const body = `{"error": "no such ${"x".repeat(500)}`.slice(0, 500);
  expect(outcome).toMatchObject({
    tag: "failed",
    kind: "threw",
    thrown: { message: `the service answered 422: ${body}… (${url}/charges/7)` },
  });
});

test("connections are released, although most of each body is not read", async () => {
  const { url, sockets } = await serve((_, response) => response.writeHead(500).end("y".repeat(3_000_000)));
  const responses = await Promise.all(Array.from({ length: 8 }, () => fetch(url)));
  expect(sockets.size).toBe(8);
  for (const response of responses) await attempt(async () => checkResponse(response));
  await vi.waitFor(() => expect([...sockets].filter(({ destroyed }) => !destroyed)).toEqual([]), {
    ...PATIENTLY,
    interval: 2,
  });
});

test("reading a body that stalls ends, and its connection is closed", async () => {
  const { url, sockets } = await serve((_, response) => void response.writeHead(400).write("half"));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const response = await fetch(url);
  const outcome = attempt(async () => checkResponse(response));
  const [socket] = sockets;
  const closed = once(socket as Socket, "close");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await outcome).toMatchObject({ tag: "failed", thrown: { message: /answered 400: half \(http/ } });
  await closed;
});

test("a body that was read before is not read again", async () => {
  const response = new Response("hello", { status: 500 });
  await response.text();
  const outcome = await attempt(async () => checkResponse(response));
  expect(outcome).toMatchObject({ thrown: { message: "the service answered 500" } });
});
