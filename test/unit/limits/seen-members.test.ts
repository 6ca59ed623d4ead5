import { expect, test } from "vitest";
import { LEASE_MILLISECONDS, SeenMembers } from "../../../shared/limits/seen-members.ts";

const note = (renewal: number) => ({ renewal, epoch: 0, tried: 0, wanted: 1 });

/** Reads a row at a time. The answer takes 10 ms. */
function read(seen: SeenMembers, members: Parameters<SeenMembers["note"]>[0], askedAt: number): void {
  seen.note(members, askedAt, askedAt + 10);
}

test("a member lives for one lease after this process first saw its latest renewal", () => {
  const seen = new SeenMembers();
  read(seen, { a: note(1) }, 1_000);
  read(seen, { a: note(1) }, 1_009 + LEASE_MILLISECONDS);
  expect(seen.isAlive("a")).toBe(true);
  read(seen, { a: note(1) }, 1_010 + LEASE_MILLISECONDS);
  expect(seen.isAlive("a")).toBe(false);
});

test("a row that was asked for before the lease ended does not show that a member is dead", () => {
  const seen = new SeenMembers();
  read(seen, { a: note(1) }, 1_000);
  seen.note({ a: note(1) }, 2_000, 1_000 + 2 * LEASE_MILLISECONDS);
  expect(seen.isAlive("a")).toBe(true);
});

test("a renewal starts the lease again", () => {
  const seen = new SeenMembers();
  read(seen, { a: note(1) }, 1_000);
  read(seen, { a: note(2) }, 3_000);
  read(seen, { a: note(2) }, 3_009 + LEASE_MILLISECONDS);
  expect(seen.isAlive("a")).toBe(true);
});

test("a process that has just started treats every member as alive", () => {
  expect(new SeenMembers().isAlive("a")).toBe(true);
});

test("a member that has left and comes back is seen for the first time", () => {
  const seen = new SeenMembers();
  read(seen, { a: note(1) }, 0);
  read(seen, {}, 1_000);
  read(seen, { a: note(1) }, 2_000);
  read(seen, { a: note(1) }, 2_009 + LEASE_MILLISECONDS);
  expect(seen.isAlive("a")).toBe(true);
});
