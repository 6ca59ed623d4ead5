import { expect, test, vi } from "vitest";
import { StopCheck } from "../../../shared/consumer/outcomes/stop-check.ts";
import type { RunRecord } from "../../../shared/ledger/run-record.ts";

const answers: ((status: RunRecord["status"]) => void)[] = [];
const find = vi.fn(
  () =>
    new Promise<RunRecord>((resolve) => {
      answers.push((status) => resolve({ status } as RunRecord));
    }),
);

test("all who ask while a look is under way share the next one, which begins after they asked", async () => {
  const look = new StopCheck({ find });
  const first = look.isStopping("run");
  await vi.waitFor(() => expect(find).toHaveBeenCalledTimes(1));
  const later = [look.isStopping("run"), look.isStopping("run")];
  answers[0]?.("running");
  expect(await first).toBe(false);
  await vi.waitFor(() => expect(find).toHaveBeenCalledTimes(2));
  answers[1]?.("cancelling");
  expect(await Promise.all(later)).toEqual([true, true]);
  expect(find).toHaveBeenCalledTimes(2);
});

test("a look that fails fails for those who share it, and the next one is made", async () => {
  const look = new StopCheck({ find: vi.fn().mockRejectedValueOnce(new Error("down")).mockResolvedValue(undefined) });
  const asked = [look.isStopping("run"), look.isStopping("run")];
  for (const each of asked) await expect(each).rejects.toThrow("down");
  expect(await look.isStopping("run")).toBe(false);
});
