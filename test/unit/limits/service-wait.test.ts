import { expect, test } from "vitest";
import { ServiceWait } from "../../../shared/limits/service-wait.ts";

test("nothing starts while the service asks to wait", () => {
  const wait = new ServiceWait();
  wait.asked(0, 100, 60_000);
  expect(wait.until).toBe(60_100);
  expect(wait.mayTry(1_000)).toBe(false);
});

test("one attempt tries after 1 s, because the wait may concern one item only", () => {
  const wait = new ServiceWait();
  wait.asked(0, 100, 3_600_000);
  expect(wait.mayTry(1_100)).toBe(true);
  wait.started(1_100);
  expect(wait.mayTry(1_100)).toBe(false);
  wait.accepted(1_100);
  expect(wait.until).toBe(0);
});

test("an attempt that started before the refused one ends no wait", () => {
  const wait = new ServiceWait();
  wait.asked(50, 100, 60_000);
  wait.accepted(40);
  expect(wait.until).toBe(60_100);
});

test("three refusals in a row are believed, and then tries become rare", () => {
  const wait = new ServiceWait();
  for (let now = 0; now < 3_000; now += 1_000) wait.asked(now, now, 3_600_000);
  expect(wait.believedUntil(2_000)).toBe(3_602_000);
  expect(wait.tryAt).toBe(12_000);
  wait.asked(12_000, 12_000, 3_600_000);
  expect(wait.tryAt).toBe(32_000);
});

test("one refusal is not reported to the fleet", () => {
  const wait = new ServiceWait();
  wait.asked(0, 0, 60_000);
  expect(wait.believedUntil(1_000)).toBeUndefined();
});
