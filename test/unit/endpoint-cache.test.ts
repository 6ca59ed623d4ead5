import { EndpointCache as Original } from "@aws-sdk/endpoint-cache";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EndpointCache } from "../../infra/endpoint-cache.ts";

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

test.each([
  ["our endpoint cache", EndpointCache],
  ["the SDK's endpoint cache", Original],
])("%s keeps endpoints until they expire", (_, Cache) => {
  const cache = new Cache(2);
  expect(cache.has("a")).toBe(false);
  expect(cache.getEndpoint("a")).toBeUndefined();
  cache.set("a", [
    { Address: "one", CachePeriodInMinutes: 1 },
    { Address: "two", CachePeriodInMinutes: 2 },
  ]);
  expect(cache.has("a")).toBe(true);
  expect(["one", "two"]).toContain(cache.getEndpoint("a"));
  vi.setSystemTime(60_000);
  expect(cache.get("a")).toEqual([{ Address: "two", Expires: 120_000 }]);
  vi.setSystemTime(120_000);
  expect(cache.getEndpoint("a")).toBeUndefined();
  expect(cache.has("a")).toBe(false);
});

test.each([
  ["our endpoint cache", EndpointCache],
  ["the SDK's endpoint cache", Original],
])("%s is bounded, and can forget", (_, Cache) => {
  const cache = new Cache(2);
  for (const key of ["a", "b", "c"]) cache.set(key, [{ Address: key, CachePeriodInMinutes: 1 }]);
  expect(["a", "b", "c"].map((key) => cache.has(key))).toEqual([false, true, true]);
  cache.delete("b");
  expect(cache.has("b")).toBe(false);
  cache.clear();
  expect(cache.has("c")).toBe(false);
});
