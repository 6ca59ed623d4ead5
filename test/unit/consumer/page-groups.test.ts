import { expect, test, vi } from "vitest";
import { type PageGroup, PageGroups } from "../../../shared/consumer/outcomes/page-groups.ts";

const page = (number: number, epoch = 1) => ({ run: "r", partition: 0, page: number, epoch });

test("Outcomes of one page are one group, and all groups that are due together are given to one call", async () => {
  const write = vi.fn((groups: readonly PageGroup<string>[]) => groups.map(() => Promise.resolve()));
  const groups = new PageGroups<string>(write);
  groups.setPace("now");
  const recorded = [
    groups.record(page(0), "a"),
    groups.record(page(1), "b"),
    groups.record(page(0), "c"),
    groups.record(page(0, 2), "d"),
    groups.record({ ...page(0), partition: 1 }, "e"),
  ];
  await Promise.all(recorded);
  expect(write).toHaveBeenCalledExactlyOnceWith([
    { ...page(0), items: ["a", "c"] },
    { ...page(1), items: ["b"] },
    { ...page(0, 2), items: ["d"] },
    { ...page(0), partition: 1, items: ["e"] },
  ]);
});

test("A group that cannot be written rejects its own outcomes, and no others", async () => {
  const groups = new PageGroups<string>((due) =>
    due.map(async (group) => {
      if (group.page === 1) throw new Error("throttled");
    }),
  );
  groups.setPace("now");
  const recorded = [groups.record(page(0), "a"), groups.record(page(1), "b"), groups.record(page(1), "c")];
  const results = await Promise.allSettled(recorded);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
});

test("A group for which the writer returns nothing counts as not written", async () => {
  const groups = new PageGroups<string>(() => []);
  groups.setPace("now");
  await expect(groups.record(page(0), "a")).rejects.toThrow("was not written");
});
