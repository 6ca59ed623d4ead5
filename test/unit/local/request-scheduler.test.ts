import { setImmediate as nextTick } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { RequestScheduler } from "../../../local/sqs/request-scheduler.ts";

test("requests run in their order, a few in each tick of the event loop", async () => {
  const scheduler = new RequestScheduler();
  const perTick: string[] = [];
  const all = Promise.all(
    [..."abcdefghijklmn"].map((name) =>
      scheduler.schedule(() => {
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

test("each caller gets the result or the error of its own work", async () => {
  const scheduler = new RequestScheduler();

  const outcomes = await Promise.allSettled([
    scheduler.schedule(() => "at once"),
    scheduler.schedule(async () => "later"),
    scheduler.schedule(() => {
      throw new Error("refused at once");
    }),
    scheduler.schedule(() => Promise.reject(new Error("refused later"))),
    scheduler.schedule(() => "after all"),
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
  for (let i = 0; i < 12; i++) void scheduler.schedule(() => never);
  const work = vi.fn();

  await scheduler.schedule(work);

  expect(work).toHaveBeenCalledOnce();
});
