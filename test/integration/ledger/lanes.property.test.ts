import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { RunProgress } from "../../../shared/ledger/run-progress.ts";
import { type Accident, type Command, endKilledLanes, type Killed } from "../../helpers/killed-lanes.ts";
import { seeds } from "../../helpers/seeds.ts";

/** Most runs of these tests make 50 to 250 operations. */
const operation = fc.nat({ max: 250 });

const accident: fc.Arbitrary<Accident> = fc.record({
  kind: fc.constantFrom("dies", "freezes"),
  when: fc.constantFrom("before", "after"),
  operation,
});

/** A person acts after the start of the run. */
const command = (...kinds: readonly Command["kind"][]): fc.Arbitrary<Command> =>
  fc.record({ kind: fc.constantFrom(...kinds), operation: fc.integer({ min: 3, max: 250 }) });

/** Runs with any number of accidents and commands, in any order of their operations. */
const plans = (of: {
  readonly limit: fc.Arbitrary<number | undefined>;
  readonly commands: fc.Arbitrary<Command>;
}): fc.Arbitrary<Killed> =>
  fc.record({
    seed: fc.nat(),
    lanes: fc.integer({ min: 1, max: 5 }),
    sizes: fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 8 }),
    limit: of.limit,
    accidents: fc.uniqueArray(accident, { maxLength: 6, selector: (each) => each.operation }),
    commands: fc.uniqueArray(of.commands, { maxLength: 3, selector: (each) => each.operation }),
  });

const hold = (arbitrary: fc.Arbitrary<Killed>, numRuns: number) =>
  fc.assert(
    fc.asyncProperty(arbitrary, async (plan) => {
      expect((await endKilledLanes(plan)).violations).toEqual([]);
    }),
    { numRuns },
  );

describe("In any order of their operations, lanes read each partition, and the run ends once with exact counts,", () => {
  test.each([
    ["with producers that die or freeze", { limit: fc.constant(undefined), commands: command("pause") }],
    [
      "with a limit of items, which are exactly the first ones",
      { limit: fc.integer({ min: 1, max: 12 }), commands: command("pause") },
    ],
    [
      "while a person pauses, resumes and cancels it",
      { limit: fc.constant(undefined), commands: command("pause", "cancel") },
    ],
    [
      "with a limit, while a person pauses, resumes and cancels it",
      { limit: fc.integer({ min: 1, max: 12 }), commands: command("pause", "cancel") },
    ],
  ])("%s", async (_, of) => await hold(plans(of), seeds(60)));

  test("and the test finds a lane that forgets a partition", async () => {
    vi.spyOn(RunProgress.prototype, "closeAgain").mockResolvedValue();
    const all = plans({ limit: fc.constant(undefined), commands: command("pause") });
    await expect(hold(all, 300)).rejects.toThrow("Counterexample");
    vi.restoreAllMocks();
  });
});
