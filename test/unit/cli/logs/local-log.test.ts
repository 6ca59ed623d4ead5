import { appendFileSync, existsSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inOrder, LocalLog } from "../../../../cli/logs/local-log.ts";
import { BoundedLog, olderLog } from "../../../../local/bounded-log.ts";
import { temporaryDirectory } from "../../../helpers/test-engine.ts";

const note = (run: string, seconds: number) =>
  `${JSON.stringify({ level: "INFO", message: "the run begins or continues", timestamp: new Date(seconds * 1_000).toISOString(), run })}\n`;

test("a log on this machine gives lines without a run to the run that was under way", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "consumer.log");
  writeFileSync(file, `early\n${note("a", 1)}one\n${note("b", 2)}two\nth`);
  const log = new LocalLog(file, "consumer");
  const shown = () => log.read().map(({ line, run }) => [line.message, run, line.at]);
  expect(shown()).toEqual([
    ["early", undefined, undefined],
    ["the run begins or continues", "a", 1_000],
    ["one", "a", 1_000],
    ["the run begins or continues", "b", 2_000],
    ["two", "b", 2_000],
  ]);
  appendFileSync(file, "ree\nfö");
  expect(shown()).toEqual([["three", "b", 2_000]]);
  appendFileSync(file, "ur\n");
  expect(shown()).toEqual([["föur", "b", 2_000]]);
  expect(shown()).toEqual([]);
});

test("a log that does not exist yet is empty", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "consumer.log");
  const log = new LocalLog(file, "consumer");
  expect(log.read()).toEqual([]);
  writeFileSync(file, "one\n");
  expect(log.read()).toHaveLength(1);
});

test("a log keeps what earlier commands wrote, and moves its lines when there are many", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "consumer.log");
  writeFileSync(file, "before\n");
  using bounded = new BoundedLog(file, 20);
  expect(bounded.begin).toBe(7);
  const log = new LocalLog(file, "consumer");
  const messages = () => log.read().map(({ line }) => line.message);
  expect(messages()).toEqual(["before"]);
  writeSync(bounded.descriptor, "first\n");
  bounded.bound();
  expect(existsSync(olderLog(file))).toBe(false);
  expect(messages()).toEqual(["first"]);
  writeSync(bounded.descriptor, "second and third\n");
  bounded.bound();
  expect(readFileSync(file, "utf8")).toBe("");
  expect(readFileSync(olderLog(file), "utf8")).toBe("before\nfirst\nsecond and third\n");
  writeSync(bounded.descriptor, "4\n");
  expect(readFileSync(file, "utf8")).toBe("4\n");
  // A reader that was in the middle of the log misses nothing.
  expect(messages()).toEqual(["second and third", "4"]);
  expect(new LocalLog(file, "consumer").read().map(({ line }) => line.message)).toEqual([
    "before",
    "first",
    "second and third",
    "4",
  ]);
});

test("logs are merged by their times, and lines of the same time stay in order", () => {
  const line = (message: string, at: number) => ({
    run: "a",
    line: {
      from: "consumer",
      level: "info",
      message,
      at,
      fields: {},
      run: "a",
      item: undefined,
      attempt: undefined,
    } as const,
  });
  const ordered = inOrder([
    [line("p1", 1), line("p3", 3)],
    [line("c2", 2), line("c3", 3), line("c3b", 3)],
  ]);
  expect(ordered.map((each) => each.line.message)).toEqual(["p1", "c2", "p3", "c3", "c3b"]);
});
