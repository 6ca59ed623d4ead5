import { channel } from "node:diagnostics_channel";
import { expect, test, vi } from "vitest";
import { ADVERTISED_CHANNEL } from "../../../shared/base/advertised-rate.ts";
import { runInScope } from "../../../shared/consumer/attempts/stray-errors.ts";

const advertise = (rate: unknown) => channel(ADVERTISED_CHANNEL).publish(rate);

test("a rate reaches the attempt in whose scope it was published, if it is a positive number", () => {
  const notes = [vi.fn(), vi.fn()];
  const fail = () => true;
  runInScope({ fail, advertise: notes[0] as () => void }, () => {
    for (const rate of [5, 0, -1, "7", undefined, Number.NaN, 2.5]) advertise(rate);
  });
  runInScope({ fail, advertise: notes[1] as () => void }, () => advertise(3));
  expect(notes.map((note) => note.mock.calls.flat())).toEqual([[5, 2.5], [3]]);
});

test("a rate that is published outside of an attempt, or in one that does not listen, is ignored", () => {
  // An error of a subscriber is thrown in the next tick, as an uncaught one.
  const uncaught = vi.fn();
  process.once("uncaughtException", uncaught);
  advertise(5);
  runInScope({ fail: () => true }, () => advertise(5));
  return new Promise<void>((resolve) => {
    setImmediate(() => {
      process.off("uncaughtException", uncaught);
      expect(uncaught).not.toHaveBeenCalled();
      resolve();
    });
  });
});
