import { expect, test, vi } from "vitest";
import type { Queue } from "../../../local/sqs/queue-registry.ts";
import { Waiters } from "../../../local/sqs/waiters.ts";

test("a waiting caller gets the error of a queue that cannot be read", async () => {
  const waiters = new Waiters({
    clock: () => 0,
    receivable: () => {
      throw new Error("the disk is full");
    },
    nextAt: () => undefined,
  });
  const offer = vi.fn(() => 1);
  waiters.add({} as Queue, { wants: 1, offer });

  await vi.waitUntil(() => offer.mock.calls.length > 0);

  expect(offer).toHaveBeenCalledTimes(1);
  waiters.close();
});
