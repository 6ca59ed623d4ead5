import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OutcomeGroups } from "../../../../../cli/plan/model/outcome-groups.ts";
import { PageGroups } from "../../../../../shared/consumer/outcomes/page-groups.ts";
import { longestWait, mostWaiting } from "../../../../../shared/consumer/outcomes/recording-limits.ts";

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

test("the model of the plan groups outcomes as the consumer does", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(12), fc.nat(150)), { minLength: 1, maxLength: 150 }),
      fc.integer({ min: 2, max: 20 }),
      fc.integer({ min: 1, max: 400 }),
      fc.boolean(),
      (outcomes, slots, taskMilliseconds, keepsResults) => {
        vi.setSystemTime(0);
        const sizes: number[] = [];
        let objects = 0;
        const groups = new PageGroups<{ isStored: boolean }>(
          (due, waiting) => {
            const items = due.flatMap((group) => group.items);
            if (keepsResults && items.some(({ isStored }) => !isStored)) {
              objects++;
              for (const item of [...items, ...waiting.flatMap((group) => group.items)]) item.isStored = true;
            }
            sizes.push(...due.map((group) => group.items.length));
            return due.map(() => Promise.resolve());
          },
          {
            now: Date.now,
            longestWait: () => longestWait(taskMilliseconds),
            mostWaiting: () => mostWaiting(slots),
            ...(keepsResults && { isReady: ({ isStored }) => isStored }),
          },
        );
        const modelled: number[] = [];
        let modelledObjects = 0;
        const model = new OutcomeGroups({
          slots,
          taskMilliseconds,
          keepsResults,
          onWrite: (items) => modelled.push(items),
          onStore: () => {
            modelledObjects++;
          },
        });
        let now = 0;
        for (const [page, later] of outcomes) {
          now += later;
          while (model.dueAt !== undefined && model.dueAt <= now) model.flush(model.dueAt);
          vi.advanceTimersByTime(later);
          void groups.record({ run: "r", partition: 0, page, epoch: 1 }, { isStored: false });
          model.add(page, now);
        }
        groups.writeAll();
        model.writeAll();
        expect(modelled).toEqual(sizes);
        expect(modelledObjects).toBe(objects);
      },
    ),
    { numRuns: 200 },
  );
});
