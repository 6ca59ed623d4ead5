import { beforeEach, expect, test, vi } from "vitest";
import { StopCheck } from "../../../shared/consumer/outcomes/stop-check.ts";
import type { RunRecord } from "../../../shared/ledger/run-record.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

const answers: ((status: RunRecord["status"]) => void)[] = [];
const find = vi.fn(
  () =>
    new Promise<RunRecord>((resolve) => {
      answers.push((status) => resolve({ status } as RunRecord));
    }),
);

beforeEach(() => {
  find.mockClear();
  answers.length = 0;
});

const turn = () => new Promise(setImmediate);

test("all calls during a request share the next one, which begins after them", async () => {
  const check = new StopCheck({ find });
  const first = check.isStopping("run");
  await vi.waitFor(() => expect(find).toHaveBeenCalledTimes(1), PATIENTLY);
  const later = [check.isStopping("run"), check.isStopping("run")];
  answers[0]?.("running");
  expect(await first).toBe(false);
  await vi.waitFor(() => expect(find).toHaveBeenCalledTimes(2), PATIENTLY);
  answers[1]?.("cancelling");
  expect(await Promise.all(later)).toEqual([true, true]);
  expect(find).toHaveBeenCalledTimes(2);
});

test("calls that come while a request is in flight send none before its answer, however many there are", async () => {
  const check = new StopCheck({ find });
  const first = check.isStopping("run");
  await turn();
  const second = check.isStopping("run");
  await turn();
  expect(find).toHaveBeenCalledTimes(1);
  answers[0]?.("running");
  await first;
  await turn();
  const third = check.isStopping("run");
  await turn();
  expect(find).toHaveBeenCalledTimes(2);
  answers[1]?.("running");
  await second;
  await turn();
  answers[2]?.("cancelling");
  expect(await third).toBe(true);
});

test("a request that fails rejects the calls that share it, and the next call makes a new one", async () => {
  const check = new StopCheck({ find: vi.fn().mockRejectedValueOnce(new Error("down")).mockResolvedValue(undefined) });
  const calls = [check.isStopping("run"), check.isStopping("run")];
  for (const each of calls) await expect(each).rejects.toThrow("down");
  expect(await check.isStopping("run")).toBe(false);
});
