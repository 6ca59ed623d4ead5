import { beforeAll, describe, expect, test } from "vitest";
import { explored } from "./explored.ts";
import { MUTANTS } from "./mutants.ts";
import { SHORT } from "./scopes.ts";

/** Only a process that hangs needs longer, on the busiest machine too. */
const LONGEST_MILLISECONDS = 1_800_000;

let scopes: Awaited<ReturnType<typeof explored>>;
let mutants: Awaited<ReturnType<typeof explored>>;
beforeAll(async () => {
  [scopes, mutants] = await Promise.all([explored(), explored("--mutants")]);
}, LONGEST_MILLISECONDS);

describe("In every order of its steps, a run ends once with exact counts:", () => {
  test.for(SHORT)("$name", async ({ name }, { annotate }) => {
    const { states, steps, ends, violation } = scopes.get(name) ?? expect.fail("it was not explored");
    expect(violation).toBeUndefined();
    expect(ends).toBeGreaterThan(0);
    await annotate(`${states} states, ${steps} steps, ${ends} ends`);
  });
});

describe("The exploration finds the mistake:", () => {
  test.for(MUTANTS)("$mistake", ({ name, shows }) => {
    const { violation } = mutants.get(name) ?? expect.fail("it was not explored");
    expect(violation?.what).toMatch(shows);
  });
});
