import { describe, expect, test } from "vitest";
import { isWanted, runOfItem } from "../../../../cli/logs/log-filter.ts";
import { parseLogLine } from "../../../../cli/logs/log-line.ts";
import { logText } from "../../../../cli/screens/log-text.ts";

const RUN = "20261128-001108-6cf2";

const structured = (fields: object) =>
  JSON.stringify({
    level: "INFO",
    message: "sent",
    timestamp: "2026-11-28T00:11:11.147Z",
    service: "customers",
    sampling_rate: 0,
    requestId: "02e65abe",
    run: RUN,
    page: 0,
    index: 3,
    attempt: 2,
    ...fields,
  });

describe("a line of a log", () => {
  test("of a task has the item, the attempt and the task's own fields", () => {
    expect(parseLogLine(structured({ customer: 7, partition: 2 }), "consumer")).toEqual({
      from: "consumer",
      at: Date.UTC(2026, 10, 28, 0, 11, 11, 147),
      level: "info",
      message: "sent",
      fields: { customer: 7 },
      run: RUN,
      item: `${RUN}/p2/0/3`,
      attempt: 2,
    });
  });

  test.each([
    ["metrics", '{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]},"Succeeded":4}'],
    ["the start of an invocation", "START RequestId: 4f1c Version: $LATEST\n"],
    ["the end of an invocation", "END RequestId: 4f1c\n"],
    ["the start of an environment", "INIT_START Runtime Version: nodejs:24.v1\n"],
    ["the report of an invocation", "REPORT RequestId: 4f1c\tDuration: 3 ms\tBilled Duration: 4 ms\n"],
    ["nothing", "\n"],
  ])("with %s is left out", (_, text) => {
    expect(parseLogLine(text, "consumer")).toBeUndefined();
  });

  test("of console.log is a text, on Lambda with its time and its level", () => {
    expect(parseLogLine("hello { a: 1 }", "consumer")).toMatchObject({
      message: "hello { a: 1 }",
      level: "info",
      at: undefined,
    });
    expect(parseLogLine("2026-11-28T00:11:11.147Z\t4f1c\tWARN\thello\n  there\n", "consumer")).toMatchObject({
      message: "hello\n  there",
      level: "warn",
      at: Date.UTC(2026, 10, 28, 0, 11, 11, 147),
    });
  });

  test.each([
    ["2026-11-28T00:11:11.147Z 02e65abe-1d4b-4f8c-b220-2c8093f5db2a Task timed out after 3.00 seconds"],
    ["REPORT RequestId: 4f1c\tDuration: 3 ms\tStatus: timeout"],
    ["uncaughtException { name: 'TypeError' }"],
    ["the handler failed TypeError: x is not a function"],
    ["TypeError: x is not a function"],
  ])("is an error if Lambda or Node writes one: %s", (text) => {
    expect(parseLogLine(text, "consumer")?.level).toBe("error");
  });

  test("that is JSON of the user's own is shown as it is", () => {
    expect(parseLogLine('{"a":1}', "consumer")).toMatchObject({ message: '{"a":1}', level: "info" });
    expect(parseLogLine("{a}", "consumer")).toMatchObject({ message: "{a}" });
  });
});

describe("the filter of a log", () => {
  const line = parseLogLine(structured({}), "consumer");
  const other = parseLogLine("hello", "consumer");
  if (line === undefined || other === undefined) throw new Error("a line is missing");
  const all = { run: undefined, item: undefined, onlyErrors: false };

  test("takes the lines of a run, and those that name none", () => {
    expect(isWanted(line, RUN, { ...all, run: RUN })).toBe(true);
    expect(isWanted(line, RUN, { ...all, run: "another" })).toBe(false);
    expect(isWanted(other, RUN, { ...all, run: RUN })).toBe(true);
    expect(isWanted(other, undefined, { ...all, run: RUN })).toBe(true);
    expect(isWanted(other, "another", { ...all, run: RUN })).toBe(false);
  });

  test("takes the lines of an item, by its id or by its page and index", () => {
    for (const item of [`${RUN}/0/3`, "0/3"]) expect(isWanted(line, RUN, { ...all, item })).toBe(true);
    for (const item of [`${RUN}/0/33`, "0/33", "3", "another/0/3"])
      expect(isWanted(line, RUN, { ...all, item })).toBe(false);
    expect(isWanted(other, RUN, { ...all, item: "0/3" })).toBe(false);
  });

  test("takes errors and dead letters with --error", () => {
    const wanted = (fields: object) => {
      const parsed = parseLogLine(structured(fields), "consumer");
      return parsed !== undefined && isWanted(parsed, RUN, { ...all, onlyErrors: true });
    };
    expect(wanted({})).toBe(false);
    expect(wanted({ level: "WARN" })).toBe(false);
    expect(wanted({ level: "ERROR" })).toBe(true);
    expect(wanted({ level: "CRITICAL" })).toBe(true);
    expect(wanted({ level: "WARN", message: "dead letter" })).toBe(true);
  });

  test("finds the run in an item's id", () => {
    expect(runOfItem(`${RUN}/0/3`)).toBe(RUN);
    expect(runOfItem(`${RUN}/p4/0/3`)).toBe(RUN);
    expect(runOfItem("scheduled-2026-11-28T00:00:00Z/0/3")).toBe("scheduled-2026-11-28T00:00:00Z");
    expect(runOfItem("0/3")).toBeUndefined();
    expect(runOfItem("p4/0/3")).toBeUndefined();
    expect(() => runOfItem("3")).toThrow("--item must be the id of an item");
  });
});

describe("the text of a line", () => {
  const at = new Date(2026, 10, 28, 9, 8, 7, 6).getTime();
  const line = {
    from: "consumer",
    at,
    level: "warn",
    message: "slow",
    fields: {
      customer: 7,
      name: "Ada L",
      error: { name: "TypeError", message: "no\u001b[2J", stack: "TypeError: no\n    at f (a.ts:1:2)" },
    },
    run: RUN,
    item: `${RUN}/p1/0/3`,
    attempt: 2,
  } as const;

  test("has time, level, item, attempt, message and fields, and below them the error", () => {
    expect(logText(line, at)).toBe(
      '09:08:07.006  warn   p1/0/3  (attempt 2)  slow  customer=7  name="Ada L"\n  TypeError: no\\u001b[2J\n      at f (a.ts:1:2)',
    );
  });

  test("of a failed attempt says which attempt it was, why it failed, and when the next one is made", () => {
    const fields = { redrives: 0, attempts: 3, failure: "TypeError: no\u001b[2J\nreally", nextInSeconds: 2 };
    const failed = { ...line, level: "info", message: "attempt failed", attempt: 1, fields } as const;
    expect(logText(failed, at)).toBe(
      "09:08:07.006  info   p1/0/3  attempt 1 of 3 failed: TypeError: no\\u001b[2J really; next in 2.0 s",
    );
    // A task may log the same words.
    const own = { ...line, message: "attempt failed", fields: { failure: 7 } } as const;
    expect(logText(own, at)).toBe("09:08:07.006  warn   p1/0/3  (attempt 2)  attempt failed  failure=7");
  });

  test("has the first characters of a long value, and says how many more there are", () => {
    const cuts: string[] = [];
    const options = { longest: 10, onCut: () => cuts.push("cut") };
    const long = { ...line, fields: { failure: "x".repeat(2_000), name: "Ada" } } as const;
    expect(logText(long, at, options)).toBe(
      "09:08:07.006  warn   p1/0/3  (attempt 2)  slow  failure=xxxxxxxxxx… (1,990 more characters)  name=Ada",
    );
    expect(cuts).toEqual(["cut"]);
    expect(logText(long, at)).toContain("x".repeat(2_000));
  });

  test("has the date on another day, and the producer's name", () => {
    const ofProducer = { ...line, from: "producer", item: undefined, attempt: undefined, fields: {} } as const;
    expect(logText(ofProducer, at + 86_400_000)).toBe("2026-11-28 09:08:07.006  warn   producer  slow");
  });
});
