import { beforeAll, describe, expect, test } from "vitest";
import type { Exploration } from "./explore.ts";
import { MUTANTS } from "./mutants.ts";
import { exploreMutant, exploreShort } from "./mutation.ts";
import { SHORT } from "./scopes.ts";

const LONGEST_MILLISECONDS = 300_000;

describe("In every order of its steps, a run ends once with exact counts:", () => {
  let explorations: readonly Exploration[] = [];
  beforeAll(async () => {
    explorations = await exploreShort();
  }, LONGEST_MILLISECONDS);

  test.for(SHORT)("$name", async ({ name }, { annotate }) => {
    const { states, steps, ends, violation } =
      explorations.find(({ scope }) => scope.name === name) ?? expect.fail("it was not explored");
    expect(violation).toBeUndefined();
    expect(ends).toBeGreaterThan(0);
    await annotate(`${states} states, ${steps} steps, ${ends} ends`);
  });
});

describe("The exploration finds that", () => {
  test.concurrent.for(MUTANTS)("$name", { timeout: LONGEST_MILLISECONDS }, async (mutant, { expect }) => {
    const { violation } = await exploreMutant(mutant);
    expect(violation?.what).toMatch(mutant.shows);
  });
});
