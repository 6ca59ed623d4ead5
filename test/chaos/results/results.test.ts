import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { killedResults } from "./killed-results.ts";

test("the files have one row for each item that succeeded, though every process was killed and items were redriven", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-results-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const result = await killedResults({
    items: 2_000,
    kills: 4,
    redrives: 10,
    seed: 1,
    longestSeconds: 4,
    directory,
  });
  expect(result.wrong).toEqual([]);
  expect(result).toMatchObject({ succeeded: 1_995, dead: 5, rows: 1_995 });
  expect(result.kills).toBeGreaterThan(0);
});
