import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runSeed } from "./run.ts";

// This seed ends soon and kills producers, consumers and the engine. `simulated/simulated.test.ts` runs more seeds in virtual
// time. `npm run chaos -- --runs 200` runs many more on real processes.
const SEED = 12;

/** A busy machine may need ten times as long. */
const PATIENCE = 10;
const LONGEST_MILLISECONDS = 2_000_000;

test(`on real processes, seed ${SEED} loses nothing and counts nothing twice`, {
  timeout: LONGEST_MILLISECONDS,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-chaos-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const { violations, struck } = await runSeed(SEED, directory, { patience: PATIENCE });
  expect(violations).toEqual([]);
  expect(struck).not.toEqual({});
});
