import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Queue } from "../../../shared/aws/queue.ts";
import { Deleter } from "../../../shared/consumer/outcomes/deleter.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const NOT_DELETED = "settled messages could not be deleted, so they will be received again";

function deleting(deleteAll: Queue["deleteAll"] = async () => []) {
  const requests = vi.fn(deleteAll);
  const warn = vi.fn();
  const deleter = new Deleter({ deleteAll: requests } as unknown as Queue, { warn } as never);
  return { deleter, requests, warn };
}

const handles = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `h${from + index}`);

test("Messages are deleted together, a quarter of a second after the first one", async () => {
  const { deleter, requests } = deleting();
  deleter.delete("h0");
  await vi.advanceTimersByTimeAsync(249);
  deleter.delete("h1");
  expect(requests).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(requests.mock.calls).toEqual([[["h0", "h1"]]]);
  deleter.delete("h2");
  await vi.advanceTimersByTimeAsync(250);
  expect(requests.mock.calls[1]).toEqual([["h2"]]);
  await deleter.flush();
  expect(requests).toHaveBeenCalledTimes(2);
});

test("Ten messages are deleted at once", async () => {
  const { deleter, requests } = deleting();
  for (const handle of handles(0, 9)) deleter.delete(handle);
  expect(requests).not.toHaveBeenCalled();
  deleter.delete("h9");
  expect(requests.mock.calls).toEqual([[handles(0, 10)]]);
  for (const handle of handles(10, 21)) deleter.delete(handle);
  expect(requests.mock.calls[1]).toEqual([handles(10, 20)]);
  await deleter.flush();
  expect(requests.mock.calls[2]).toEqual([["h20"]]);
});

test("The end waits for the answers of all requests", async () => {
  const { promise, resolve } = Promise.withResolvers<readonly never[]>();
  const { deleter } = deleting(() => promise);
  for (const handle of handles(0, 10)) deleter.delete(handle);
  const ended = vi.fn();
  const flushed = deleter.flush().then(ended);
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).not.toHaveBeenCalled();
  resolve([]);
  await flushed;
});

test("Messages that were not deleted are reported, and do no harm", async () => {
  const refusing = deleting(async () => ["h0", "h1"] as never);
  for (const handle of handles(0, 3)) refusing.deleter.delete(handle);
  await refusing.deleter.flush();
  expect(refusing.warn.mock.calls).toEqual([[NOT_DELETED, { messages: 2 }]]);
  const error = new Error("down");
  const failing = deleting(() => Promise.reject(error));
  failing.deleter.delete("h0");
  await failing.deleter.flush();
  expect(failing.warn.mock.calls).toEqual([[NOT_DELETED, { error }]]);
  const deletingAll = deleting();
  deletingAll.deleter.delete("h0");
  await deletingAll.deleter.flush();
  expect(deletingAll.warn).not.toHaveBeenCalled();
});
