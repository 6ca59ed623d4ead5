import { setImmediate as nextTick } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { RequestScheduler } from "../../../local/sqs/request-scheduler.ts";

test("requests run in their order, a few in each tick of the event loop", async () => {
  const scheduler = new RequestScheduler();
  const perTick: string[] = [];
  const all = Promise.all(
    [..."abcdefghijklmn"].map((name) =>
      scheduler.schedule("other", () => {
        perTick[perTick.length - 1] += name;
      }),
    ),
  );
  expect(perTick).toEqual([]);
  for (let tick = 0; tick < 3; tick++) {
    perTick.push("");
    await nextTick();
  }
  await all;

  expect(perTick).toEqual(["abcdef", "ghijkl", "mn"]);
});

test("requests that send messages give way to others, and still get a part of each tick", async () => {
  const scheduler = new RequestScheduler();
  const perTick: string[] = [];
  const note = (name: string) => () => {
    perTick[perTick.length - 1] += name;
  };
  const all = Promise.all([
    ...[..."ABCDEF"].map((name) => scheduler.schedule("send", note(name))),
    ...[..."abcdefg"].map((name) => scheduler.schedule("other", note(name))),
  ]);
  for (let tick = 0; tick < 3; tick++) {
    perTick.push("");
    await nextTick();
  }
  await all;

  expect(perTick).toEqual(["abcdAB", "efgCDE", "F"]);
});

test("each caller gets the result or the error of its own work", async () => {
  const scheduler = new RequestScheduler();

  const outcomes = await Promise.allSettled([
    scheduler.schedule("other", () => "at once"),
    scheduler.schedule("other", async () => "later"),
    scheduler.schedule("other", () => {
      throw new Error("refused at once");
    }),
    scheduler.schedule("other", () => Promise.reject(new Error("refused later"))),
    scheduler.schedule("other", () => "after all"),
  ]);

  expect(outcomes.map((each) => (each.status === "fulfilled" ? each.value : each.reason.message))).toEqual([
    "at once",
    "later",
    "refused at once",
    "refused later",
    "after all",
  ]);
});

test("a tick does not wait for the work of the tick before", async () => {
  const scheduler = new RequestScheduler();
  const never = new Promise(() => {});
  for (let i = 0; i < 12; i++) void scheduler.schedule("other", () => never);
  const work = vi.fn();

  await scheduler.schedule("other", work);

  expect(work).toHaveBeenCalledOnce();
});
