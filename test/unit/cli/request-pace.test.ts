import { expect, test } from "vitest";
import { RequestPace } from "../../../cli/ui/stack-place.ts";

test("the live view of a stack sends at most one request a second, also if several ask at once", async () => {
  let now = 1_790_000_000_000;
  const sentAt: number[] = [];
  const pace = new RequestPace(
    () => now,
    async (milliseconds) => {
      sentAt.push(now + milliseconds);
    },
  );
  await pace.wait();
  await Promise.all([pace.wait(), pace.wait()]);
  expect(sentAt.map((at) => at - now)).toEqual([1_000, 2_000]);
  // After a pause, requests do not make up for it.
  now += 60_000;
  sentAt.length = 0;
  await Promise.all([pace.wait(), pace.wait(), pace.wait()]);
  expect(sentAt.map((at) => at - now)).toEqual([1_000, 2_000]);
});
