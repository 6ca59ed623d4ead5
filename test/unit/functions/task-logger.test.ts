import vm from "node:vm";
import { Logger } from "@aws-lambda-powertools/logger";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { taskLogger } from "../../../functions/task-logger.ts";
import { HOSTILE_VALUES } from "../../helpers/hostile-values.ts";

test.each(["debug", "info", "warn", "error"] as const)("%s writes the bound fields", (level) => {
  const logger = new Logger();
  const log = vi.spyOn(logger, level).mockReturnValue();

  // A task may take it out of its logger.
  const { [level]: write } = taskLogger(logger, { run: "r", attempt: 2 });
  write("done", { attempt: 3, rows: 7 });
  write("done");

  expect(log.mock.calls).toEqual([
    ["done", { run: "r", attempt: 3, rows: 7 }],
    ["done", { run: "r", attempt: 2 }],
  ]);
});

describe("a line whose fields cannot be read", () => {
  const lines: string[] = [];
  let logger: Logger;
  beforeAll(() => {
    // So that it writes to the console that is watched here.
    vi.stubEnv("POWERTOOLS_DEV", "true");
    logger = new Logger();
    vi.spyOn(console, "info").mockImplementation((line) => void lines.push(line));
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });
  const logged = (message: unknown, fields?: unknown) => {
    lines.length = 0;
    taskLogger(logger, { run: "r" }).info(message as string, fields as Record<string, unknown>);
    expect(lines).toHaveLength(1);
    return JSON.parse(lines[0] ?? "");
  };
  const throws = () => {
    throw new Error("unreadable");
  };

  test.each(Object.keys(HOSTILE_VALUES))("%s is still written", (name) => {
    const { make } = HOSTILE_VALUES[name] as (typeof HOSTILE_VALUES)[string];
    // Neither ends when the logger calls it, as JSON does with `toJSON`: such a task blocks its process, as any loop.
    if (name.includes("never end") || name.includes("20 MB")) return;
    expect(logged("a", { value: make(), n: 1 })).toMatchObject({ message: "a", run: "r" });
    expect(logged("b", { error: make() })).toMatchObject({ message: "b", run: "r" });
  });

  test("an error of another realm is logged as an error", () => {
    expect(logged("a", { error: vm.runInNewContext('new TypeError("x")') })).toMatchObject({
      error: { name: "TypeError", message: "x" },
    });
    expect(logged("a", new RangeError("alone"))).toMatchObject({ error: { name: "RangeError", message: "alone" } });
  });

  test("each field that can be read is kept, as text", () => {
    const fields = { a: 1, big: 5n, bad: { toJSON: throws }, nested: { b: [1] } };
    Object.defineProperty(fields, "getter", { enumerable: true, get: throws });
    expect(logged("a", fields)).toMatchObject({
      run: "r",
      a: "1",
      big: "5",
      nested: '{"b":[1]}',
      getter: "(cannot be read: unreadable)",
      loggedAsText: "unreadable",
    });
  });

  test("a circular value, a bigint and a revoked proxy cause no error", () => {
    const circle: Record<string, unknown> = { big: 5n };
    circle.self = circle;
    expect(logged("a", { circle })).toMatchObject({ message: "a", circle: { big: "5" } });
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(logged("a", proxy)).toMatchObject({ message: "a", run: "r" });
  });

  test("a message that is not a text is written as text", () => {
    expect(logged(Symbol("s"))).toMatchObject({ run: "r" });
    expect(logged(null)).toMatchObject({ run: "r" });
  });
});
