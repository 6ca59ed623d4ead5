import { afterEach, describe, expect, test, vi } from "vitest";
import { lanesKey } from "../../../shared/ledger/keys.ts";
import { RunProgress } from "../../../shared/ledger/run-progress.ts";
import { type Accident, type Command, endKilledLanes, type Killed } from "../../helpers/killed-lanes.ts";
import { MemoryStore } from "../../helpers/memory-store.ts";
import { seeds } from "../../helpers/seeds.ts";

const ACCIDENTS = [
  { kind: "dies", when: "before" },
  { kind: "dies", when: "after" },
  { kind: "freezes", when: "before" },
  { kind: "freezes", when: "after" },
] as const satisfies readonly Omit<Accident, "operation">[];

/** A seed strikes each operation of this distance. So as many seeds strike all operations of a run. */
const STRIDE = 23;

const commandsAt = (kind: number, operation: number): readonly Command[] =>
  kind === 0 ? [] : [{ kind: kind === 1 ? "pause" : "cancel", operation }];

/** Each kind of accident at operations of a run, without a command and with one at another operation. */
async function plansOf(seed: number): Promise<readonly Killed[]> {
  const { operations, violations } = await endKilledLanes({ seed });
  expect(violations).toEqual([]);
  const plans: Killed[] = [];
  for (let operation = seed % STRIDE; operation < operations; operation += STRIDE) {
    for (const [number, accident] of ACCIDENTS.entries()) {
      // A person acts after the start of the run.
      const commands = commandsAt((operation + number) % 3, Math.max(3, (operation * 7 + number * 31) % operations));
      plans.push({ seed, accidents: [{ ...accident, operation }], commands });
    }
  }
  return plans;
}

async function violationsOf(plans: Iterable<Killed>): Promise<readonly string[]> {
  const found: string[] = [];
  for (const plan of plans) {
    const { violations } = await endKilledLanes(plan).catch((error) => ({ violations: [String(error)] }));
    for (const violation of violations) found.push(`${JSON.stringify(plan)}: ${violation}`);
    if (found.length > 0) break;
  }
  return found;
}

describe("A run of eight partitions ends once with exact counts, wherever a producer dies or is frozen", () => {
  test.for(Array.from({ length: seeds(8) }, (_, number) => number + 1))("seed %i", async (seed) => {
    expect(await violationsOf(await plansOf(seed))).toEqual([]);
  });
});

describe("The test finds a mistake:", () => {
  afterEach(() => vi.restoreAllMocks());

  test("a partition that another producer ended is left without a note of its end", async () => {
    vi.spyOn(RunProgress.prototype, "closeAgain").mockResolvedValue();
    expect(await violationsOf(await allOf(1, "dies", "after"))).not.toEqual([]);
  });

  test("a lane takes a partition unconditionally", async () => {
    const { update } = MemoryStore.prototype;
    vi.spyOn(MemoryStore.prototype, "update").mockImplementation(function (this: MemoryStore, key, change) {
      return update.call(this, key, key.sk === lanesKey("").sk ? { ...change, when: [] } : change);
    });
    expect(await violationsOf(await allOf(1, "freezes", "before"))).not.toEqual([]);
  });
});

/** One kind of accident, at each operation of a run. */
async function allOf(seed: number, kind: Accident["kind"], when: Accident["when"]): Promise<readonly Killed[]> {
  const { operations } = await endKilledLanes({ seed });
  return Array.from({ length: operations }, (_, operation) => ({ seed, accidents: [{ kind, when, operation }] }));
}
