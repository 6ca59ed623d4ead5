import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { VisibilityRenewal } from "../../../shared/producer/visibility-renewal.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const named = (name: string) => Object.assign(new Error(name), { name });

/** A renewal of 30 s with scripted requests, and the times at which they were sent, in seconds. */
function renewalOf(hide: (request: number) => Promise<void> = async () => {}) {
  const begun = performance.now();
  const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
  const sent: number[] = [];
  const requested = vi.fn(async (_: number) => {
    sent.push(seconds());
    await hide(sent.length);
  });
  const renewal = new VisibilityRenewal({ hide: requested, visibilityMilliseconds: 30_000 });
  const lostAt: number[] = [];
  const expiredAt: number[] = [];
  renewal.lost.addEventListener("abort", () => lostAt.push(seconds()));
  renewal.expired.addEventListener("abort", () => expiredAt.push(seconds()));
  return { renewal, sent, requested, lostAt, expiredAt };
}

test("a message is hidden for 30 s at once, and again every 10 s until the work ends", async () => {
  const { renewal, sent, requested } = renewalOf();
  await renewal.start();
  expect(sent).toEqual([0]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toEqual([0, 10, 20, 30, 40, 50, 60]);
  expect(new Set(requested.mock.calls.flat())).toEqual(new Set([30_000]));
  await renewal.stop();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(sent).toHaveLength(7);
  expect(renewal.lost.aborted).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  "MessageNotInflight",
  "ReceiptHandleIsInvalid",
  "InvalidParameterValue",
  "AWS.SimpleQueueService.NonExistentQueue",
])("a handle that SQS refuses as %s is lost at once, and expired 10 s later", async (name) => {
  const { renewal, sent, lostAt, expiredAt } = renewalOf(async (request) => {
    if (request === 2) throw named(name);
  });
  await renewal.start();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(sent).toEqual([0, 10]);
  expect(lostAt).toEqual([10]);
  expect(expiredAt).toEqual([20]);
  expect(renewal.lost.reason).toMatchObject({ name });
});

test("a message that was delivered too late is lost before any work on it", async () => {
  const { renewal } = renewalOf(() => Promise.reject(named("MessageNotInflight")));
  await renewal.start();
  expect(renewal.lost.aborted).toBe(true);
  await renewal.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("requests that fail for other reasons are sent again every second, and the message is kept if one succeeds in time", async () => {
  const { renewal, sent, lostAt } = renewalOf(async (request) => {
    if (request > 1 && request < 19) throw named("RequestThrottled");
  });
  await renewal.start();
  await vi.advanceTimersByTimeAsync(45_000);
  expect(sent.slice(0, 4)).toEqual([0, 10, 11, 12]);
  // The nineteenth request, at 27 s, was the first that succeeded since the start.
  expect(sent.slice(-2)).toEqual([27, 37]);
  expect(lostAt).toEqual([]);
});

test("a message whose renewals all fail is lost before it becomes visible", async () => {
  const { renewal, lostAt, expiredAt } = renewalOf(async (request) => {
    if (request > 2) throw named("TimeoutError");
  });
  await renewal.start();
  await vi.advanceTimersByTimeAsync(100_000);
  // The last request hid it at 10 s, until 40 s.
  expect(lostAt).toEqual([38]);
  expect(expiredAt).toEqual([48]);
});

test("a message that was lost is not hidden again from its new receiver, although a renewal was due", async () => {
  // From 27.5 s on, each renewal fails, and the next one is due a second later. The message is lost at 28 s.
  const { renewal, sent, lostAt } = renewalOf(async (request) => {
    if (request === 2) await new Promise((resolve) => setTimeout(resolve, 17_500));
    if (request > 1) throw named("TimeoutError");
  });
  await renewal.start();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(lostAt).toEqual([28]);
  expect(sent).toEqual([0, 10]);
});

test("a request that never answers does not keep the message", async () => {
  const { renewal, lostAt } = renewalOf((request) => (request === 1 ? Promise.resolve() : new Promise(() => {})));
  await renewal.start();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(lostAt).toEqual([28]);
});

test("the time that a request takes counts, as SQS may have hidden the message when it was sent", async () => {
  const { renewal, sent } = renewalOf(() => new Promise((resolve) => setTimeout(resolve, 4_000)));
  const started = renewal.start();
  await vi.advanceTimersByTimeAsync(4_000);
  await started;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(sent).toEqual([0, 10, 20]);
  await Promise.all([renewal.stop(), vi.advanceTimersByTimeAsync(4_000)]);
});

test("the end of the work waits for a renewal under way, which must not undo a later change", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { renewal } = renewalOf((request) => (request === 1 ? Promise.resolve() : promise));
  await renewal.start();
  await vi.advanceTimersByTimeAsync(10_000);
  const stopped = vi.fn();
  const stopping = renewal.stop().then(stopped);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(stopped).not.toHaveBeenCalled();
  resolve();
  await stopping;
  expect(renewal.lost.aborted).toBe(false);
});

test("a message whose first request never answers is lost before it becomes visible, too", async () => {
  const { renewal, lostAt } = renewalOf(() => new Promise(() => {}));
  void renewal.start();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(lostAt).toEqual([28]);
});

test.each([
  ["succeeds", undefined],
  ["is refused", named("MessageNotInflight")],
  ["fails", named("TimeoutError")],
])("the end of the work is the end, although a renewal under way %s after it", async (_, error) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { renewal, sent, lostAt } = renewalOf((request) => (request === 1 ? Promise.resolve() : promise));
  await renewal.start();
  await vi.advanceTimersByTimeAsync(10_000);
  const stopping = renewal.stop();
  if (error === undefined) resolve();
  else reject(error);
  await stopping;
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(sent).toEqual([0, 10]);
  expect(lostAt).toEqual([]);
});

test.each([
  ["succeeds", undefined],
  ["is refused", named("MessageNotInflight")],
])("a message that was lost stays lost, although its last renewal %s later", async (_, error) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const { renewal, sent, lostAt, expiredAt } = renewalOf((request) => (request === 1 ? Promise.resolve() : promise));
  await renewal.start();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(lostAt).toEqual([28]);
  if (error === undefined) resolve();
  else reject(error);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(sent).toEqual([0, 10]);
  expect(lostAt).toEqual([28]);
  expect(expiredAt).toEqual([38]);
});

test.each([null, undefined, "MessageNotInflight", {}, Object.assign(Object.create(null), { name: "Other" })])(
  "a request that throws %s is tried again",
  async (thrown) => {
    const { renewal, sent } = renewalOf((request) => (request === 2 ? Promise.reject(thrown) : Promise.resolve()));
    await renewal.start();
    await vi.advanceTimersByTimeAsync(11_000);
    expect(sent).toEqual([0, 10, 11]);
    expect(renewal.lost.aborted).toBe(false);
    await renewal.stop();
  },
);
