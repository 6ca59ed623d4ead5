import fc from "fast-check";
import { describe, test } from "vitest";
import { MemoryStore } from "../../../shared/ledger/memory-store.ts";
import { scenarios } from "../../helpers/ledger-scenarios.ts";
import { LedgerWorld } from "../../helpers/ledger-world.ts";

const holds = (scenario: Parameters<typeof scenarios>[0], numRuns: number) =>
  fc.assert(
    fc.asyncProperty(scenarios(scenario), async (each) => {
      await new LedgerWorld(new MemoryStore(), "run", each).work();
    }),
    { numRuns, ...(process.env.SEED ? { seed: Number(process.env.SEED) } : {}) },
  );

describe("A run ends once, with exact counts", () => {
  test("without duplicates", () => holds({ choices: 300, duplicates: false }, 400));
  test("with duplicates", () => holds({ choices: 300 }, 400));
  test("with redrives", () => holds({ choices: 300, redrives: 4 }, 400));
  test("over a block's boundary", () =>
    holds(
      { choices: 300, pages: 4, itemsPerPage: 1, redrives: 0, pagesBefore: fc.integer({ min: 996, max: 999 }) },
      100,
    ));
});
