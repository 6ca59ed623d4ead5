import { expect, test } from "vitest";
import { FixedSlots } from "../../../shared/consumer/slots/fixed-slots.ts";
import type { Slot } from "../../../shared/consumer/slots/slot-supplier.ts";

const UNUSED = { tag: "unused" } as const;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Reservations in the order in which they were granted, by their names. */
function reserving(size: number) {
  const supplier = new FixedSlots(size);
  const granted = new Map<string, Slot>();
  return {
    granted,
    reserve: (name: string) =>
      void supplier.reserve().then((reservation) => {
        if (reservation.tag === "reserved") granted.set(name, reservation.slot);
      }),
  };
}

test("A slot is reserved at once while one is free, and then in the order of the calls", async () => {
  const { granted, reserve } = reserving(2);
  for (const name of ["a", "b", "c", "d"]) reserve(name);
  await turn();
  expect([...granted.keys()]).toEqual(["a", "b"]);
  granted.get("b")?.release(UNUSED);
  await turn();
  expect([...granted.keys()]).toEqual(["a", "b", "c"]);
  granted.get("a")?.release({ tag: "succeeded", durationMilliseconds: 5 });
  await turn();
  expect([...granted.keys()]).toEqual(["a", "b", "c", "d"]);
});

test("A slot that is released twice is given back once", async () => {
  const { granted, reserve } = reserving(1);
  for (const name of ["a", "b", "c"]) reserve(name);
  await turn();
  granted.get("a")?.release(UNUSED);
  granted.get("a")?.release(UNUSED);
  await turn();
  expect([...granted.keys()]).toEqual(["a", "b"]);
});

test("A slot that is given back while nobody waits is reserved once", async () => {
  const { granted, reserve } = reserving(1);
  reserve("a");
  await turn();
  granted.get("a")?.release(UNUSED);
  for (const name of ["b", "c"]) reserve(name);
  await turn();
  expect([...granted.keys()]).toEqual(["a", "b"]);
});
