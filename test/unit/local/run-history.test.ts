import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HistoryReader, HistoryWriter, latestSample } from "../../../local/run-history.ts";
import { type Sample, sampleInterval } from "../../../shared/observe/sample.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const sample = (at: number): Sample => ({
  at,
  status: "running",
  produced: 10,
  succeeded: 1,
  dead: 0,
  retried: 0,
  throttled: 0,
  inFlight: 2,
  rate: 1.5,
});

test("each sample is read once, and an incomplete line when it is complete", async () => {
  using directory = temporaryDirectory();
  const writer = new HistoryWriter(directory, "run");
  const reader = new HistoryReader(directory, "run");
  expect(await reader.read()).toEqual([]);
  writer.add(sample(1_000));
  writer.add(sample(2_000));
  expect(await reader.read()).toEqual([sample(1_000), sample(2_000)]);
  const file = join(directory.path, "history/run.jsonl");
  const line = JSON.stringify(sample(3_000));
  appendFileSync(file, line.slice(0, 20));
  expect(await reader.read()).toEqual([]);
  appendFileSync(file, `${line.slice(20)}\n`);
  expect(await reader.read()).toEqual([sample(3_000)]);
  expect(latestSample(directory, "run")).toEqual(sample(3_000));
});

test("a command that continues a run counts on from the throttled attempts of the commands before it", () => {
  using directory = temporaryDirectory();
  new HistoryWriter(directory, "run").add({ ...sample(1_000), throttled: 7 });
  new HistoryWriter(directory, "run").add({ ...sample(2_000), throttled: 2 });
  expect(latestSample(directory, "run")?.throttled).toBe(9);
});

test("a run of a week has fewer than 15,000 samples", () => {
  const WEEK = 7 * 86_400_000;
  let samples = 0;
  for (let at = 0; at < WEEK; at += sampleInterval(at)) samples++;
  expect(samples).toBeGreaterThan(5_000);
  expect(samples).toBeLessThan(15_000);
});

test("a run continues if its history cannot be written", () => {
  using directory = temporaryDirectory();
  rmSync(directory.path, { recursive: true });
  appendFileSync(directory.path, "a file");
  const writer = new HistoryWriter(directory, "run");
  writer.add(sample(1_000));
  expect(writer.isDue(1_999)).toBe(false);
  expect(latestSample(directory, "run")).toBeUndefined();
});
