import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { runSeed } from "./run.ts";

// These seeds end soon, and together they kill each kind of process. `npm run chaos -- --runs 200` runs many more.
test.concurrent.for([10, 11, 12])(
  "seed %i: nothing is lost, and nothing counted twice",
  { timeout: 200_000 },
  async (seed, { expect, onTestFinished }) => {
    const directory = mkdtempSync(join(tmpdir(), "sluice-chaos-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const { violations, struck } = await runSeed(seed, directory);
    expect(violations).toEqual([]);
    expect(struck).not.toEqual({});
  },
);
