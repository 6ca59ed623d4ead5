import { expect, test, vi } from "vitest";
import type { StoredLimit } from "../../../shared/ledger/limit-row.ts";
import { EMPTY_STATE } from "../../../shared/limits/advance.ts";
import { HeldFleet } from "../../../shared/observe/held-fleet.ts";

const NOW = 1_790_000_000_000;

function stored(state: Partial<StoredLimit["state"]>): StoredLimit {
  return { isNewerVersion: false, concurrency: 50, state: { ...EMPTY_STATE, epoch: 9, at: NOW, ...state } };
}

/** What is displayed after a read at a time. */
async function displayed(fleet: HeldFleet, now: number): Promise<string | undefined> {
  fleet.at(now);
  await Promise.resolve();
  return fleet.at(now);
}

test("a fleet is held while epochs with a limit begin", async () => {
  const read = vi.fn(async () => stored({ limit: { slots: 12, reason: "throttled" } }));
  const fleet = new HeldFleet({ read });
  expect(fleet.at(NOW)).toBeUndefined();
  expect(await displayed(fleet, NOW + 1_000)).toBe("held at 12 in flight: the service throttles");
  expect(read).toHaveBeenCalledTimes(2);
  expect(fleet.at(NOW + 1_999)).toBe("held at 12 in flight: the service throttles");
  expect(read).toHaveBeenCalledTimes(2);
});

test("a limit that a stopped fleet has left is not shown, because it may have been cleared since", async () => {
  const fleet = new HeldFleet({ read: async () => stored({ limit: { slots: 12, reason: "set" } }) });
  expect(await displayed(fleet, NOW + 9_999)).toBe("held at 12 in flight: set by hand or by the workflow");
  expect(await displayed(fleet, NOW + 20_000)).toBeUndefined();
});
