import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { Turns } from "../../../local/sqs/turns.ts";

test("what is to be done is done in its order, a few in each turn of the event loop", async () => {
  const turns = new Turns();
  const perTurn: string[] = [];
  const all = Promise.all(
    [..."abcdefghijklmn"].map((name) =>
      turns.take(() => {
        perTurn[perTurn.length - 1] += name;
      }),
    ),
  );
  expect(perTurn).toEqual([]);
  for (let turn = 0; turn < 3; turn++) {
    perTurn.push("");
    await nextTurn();
  }
  await all;

  expect(perTurn).toEqual(["abcdef", "ghijkl", "mn"]);
});

test("each learns what its own work gave", async () => {
  const turns = new Turns();

  const outcomes = await Promise.allSettled([
    turns.take(() => "at once"),
    turns.take(async () => "later"),
    turns.take(() => {
      throw new Error("refused at once");
    }),
    turns.take(() => Promise.reject(new Error("refused later"))),
    turns.take(() => "after all"),
  ]);

  expect(outcomes.map((each) => (each.status === "fulfilled" ? each.value : each.reason.message))).toEqual([
    "at once",
    "later",
    "refused at once",
    "refused later",
    "after all",
  ]);
});

test("a turn waits for no work of the turn before", async () => {
  const turns = new Turns();
  const never = new Promise(() => {});
  for (let i = 0; i < 12; i++) void turns.take(() => never);
  const work = vi.fn();

  await turns.take(work);

  expect(work).toHaveBeenCalledOnce();
});
