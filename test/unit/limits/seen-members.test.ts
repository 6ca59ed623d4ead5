import { expect, test } from "vitest";
import { LEASE_MILLISECONDS, SeenMembers } from "../../../shared/limits/seen-members.ts";

const note = (renewal: number) => ({ renewal, epoch: 0, tried: 0, wanted: 1 });

test("a member lives for one lease after this process first saw its latest renewal", () => {
  const seen = new SeenMembers();
  seen.note({ a: note(1) }, 1_000);
  seen.note({ a: note(1) }, 2_000);
  expect(seen.isAlive("a", 1_000 + LEASE_MILLISECONDS - 1)).toBe(true);
  expect(seen.isAlive("a", 1_000 + LEASE_MILLISECONDS)).toBe(false);
});

test("a renewal starts the lease again", () => {
  const seen = new SeenMembers();
  seen.note({ a: note(1) }, 1_000);
  seen.note({ a: note(2) }, 3_000);
  expect(seen.isAlive("a", 3_000 + LEASE_MILLISECONDS - 1)).toBe(true);
});

test("a process that has just started treats every member as alive", () => {
  expect(new SeenMembers().isAlive("a", 1e12)).toBe(true);
});

test("a member that has left and comes back is seen for the first time", () => {
  const seen = new SeenMembers();
  seen.note({ a: note(1) }, 0);
  seen.note({}, 1_000);
  seen.note({ a: note(1) }, 2_000);
  expect(seen.isAlive("a", 2_000 + LEASE_MILLISECONDS - 1)).toBe(true);
});
