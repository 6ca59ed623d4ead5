import { describe, expect, test } from "vitest";
import { z } from "zod";
import { isWorkflow } from "../../../shared/definition/workflow.ts";
import { ConfigurationError, defineWorkflow, items, type WorkflowOptions } from "../../../shared/index.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const define = (changes: object) => defineWorkflow(workflowOptions(changes as Partial<WorkflowOptions>));

/** The message with which a definition is refused. */
function refusal(changes: object): string {
  try {
    define(changes);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message;
  }
  throw new Error(`not refused: ${Object.keys(changes)}`);
}

describe("documented defaults", () => {
  const workflow = defineWorkflow(workflowOptions());

  test("timeout: 30 s", () => expect(workflow.timeoutMilliseconds).toBe(30_000));
  test("memoryMb: 512", () => expect(workflow.memoryMb).toBe(512));
  test("refill: true", () => expect(workflow.refill).toBe(true));
  test("rateLimit: none", () => expect(workflow.rateLimit).toBeUndefined());
  test("rateLimit.burst: 1", () => {
    expect(define({ rateLimit: { perMinute: 30 } }).rateLimit).toEqual({ perSecond: 0.5, burst: 1 });
  });
  test("adaptive: on, without latency", () => {
    expect(workflow.adaptive).toEqual({ search: true, latency: false });
    expect(define({ adaptive: {} }).adaptive).toEqual({ search: true, latency: false });
  });
  test("retry: 5 attempts, from 1 s up to 5 min", () => {
    expect(workflow.retry).toMatchObject({ attempts: 5, baseMilliseconds: 1_000, capMilliseconds: 300_000 });
  });
  test("retry.waitAtMost: 24 h", () => expect(workflow.retry.waitAtMostMilliseconds).toBe(24 * 3_600_000));
  test("options that are derived later or have no limit are undefined", () => {
    const { tasksPerEnvironment, maxBacklog, limit, item } = workflow;
    expect({ tasksPerEnvironment, maxBacklog, limit, item }).toEqual({});
  });
});

interface Case {
  readonly option: string;
  readonly allowed: readonly object[];
  /** With what the message must say beside the option: the range, and the value. */
  readonly refused: readonly (readonly [changes: object, ...says: string[]])[];
  /** What every message says to fix it. */
  readonly fix: string;
}

const seconds = (amount: number) => ({ seconds: amount });

const CASES: readonly Case[] = [
  {
    option: "name",
    allowed: [{ name: "a" }, { name: "a".repeat(40) }, { name: "a-0-z9" }],
    refused: [
      [{ name: "" }, "1 to 40 characters", '""'],
      [{ name: "a".repeat(41) }, "1 to 40 characters", "a".repeat(41)],
      [{ name: "Abc" }, "a-z, 0-9 and -", '"Abc"'],
      [{ name: "9a" }, "starting with a letter", '"9a"'],
      [{ name: "-a" }, "starting with a letter", '"-a"'],
      [{ name: "a_b" }, '"a_b"'],
      [{ name: "a\n" }, '"a\\n"'],
      [{ name: "é" }, '"é"'],
      [{ name: undefined }, "undefined"],
      [{ name: 7 }, "7"],
    ],
    fix: "AWS limits the names made of it",
  },
  {
    option: "concurrency",
    allowed: [{ concurrency: 2 }, { concurrency: 33_333 }],
    refused: [
      [{ concurrency: 1 }, "2 to 33333", "is 1"],
      [{ concurrency: 33_334 }, "2 to 33333", "is 33334"],
      [{ concurrency: 2.5 }, "whole number", "is 2.5"],
      [{ concurrency: Number.NaN }, "NaN"],
      [{ concurrency: Number.POSITIVE_INFINITY }, "Infinity"],
      [{ concurrency: "50" }, '"50"'],
      [{ concurrency: 50n }, "50n"],
      [{ concurrency: undefined }, "undefined"],
      [{ concurrency: null }, "null"],
    ],
    fix: "a maximum concurrency of at least 2",
  },
  {
    option: "tasksPerEnvironment",
    allowed: [{ tasksPerEnvironment: 1 }, { concurrency: 200, tasksPerEnvironment: 100 }],
    refused: [
      [{ tasksPerEnvironment: 0 }, "1 to 100", "is 0"],
      [{ concurrency: 202, tasksPerEnvironment: 101 }, "1 to 100", "is 101"],
      [{ tasksPerEnvironment: null }, "null"],
    ],
    fix: "leave it out",
  },
  {
    option: "rateLimit",
    allowed: [
      { rateLimit: { perSecond: 0.001 } },
      { rateLimit: { perMinute: 6e6 } },
      { rateLimit: { perHour: 3.6e8 } },
    ],
    refused: [
      [{ rateLimit: {} }, "exactly one of perSecond, perMinute and perHour", "{}"],
      [{ rateLimit: { burst: 5 } }, "exactly one"],
      [{ rateLimit: { perSecond: 1, perMinute: 60 } }, "exactly one", '"perMinute":60'],
    ],
    fix: "write { perSecond: 100 }",
  },
  {
    option: "rateLimit.perSecond",
    allowed: [{ rateLimit: { perSecond: 100_000 } }],
    refused: [
      [{ rateLimit: { perSecond: 0 } }, "above 0 and up to 100000", "is 0"],
      [{ rateLimit: { perSecond: -1 } }, "is -1"],
      [{ rateLimit: { perSecond: 100_001 } }, "up to 100000", "is 100001"],
      [{ rateLimit: { perSecond: Number.NaN } }, "NaN"],
      [{ rateLimit: { perSecond: "5" } }, '"5"'],
    ],
    fix: "leave rateLimit out",
  },
  {
    option: "rateLimit.perHour",
    allowed: [{ rateLimit: { perHour: 1 } }],
    refused: [[{ rateLimit: { perHour: 360_000_001 } }, "up to 360000000", "is 360000001"]],
    fix: "leave rateLimit out",
  },
  {
    option: "rateLimit.burst",
    allowed: [{ rateLimit: { perSecond: 1, burst: 1 } }, { rateLimit: { perSecond: 1, burst: 100_000 } }],
    refused: [
      [{ rateLimit: { perSecond: 1, burst: 0 } }, "1 to 100000", "is 0"],
      [{ rateLimit: { perSecond: 1, burst: 1.5 } }, "is 1.5"],
      [{ rateLimit: { perSecond: 1, burst: 100_001 } }, "is 100001"],
    ],
    fix: "one after the other",
  },
  {
    option: "adaptive.latency",
    allowed: [
      { adaptive: false },
      { adaptive: true },
      { adaptive: { latency: false } },
      { adaptive: { latency: true } },
    ],
    refused: [[{ adaptive: { latency: 1 } }, "is 1"]],
    fix: "true or false",
  },
  {
    option: "timeout",
    allowed: [{ timeout: { milliseconds: 1 } }, { timeout: seconds(875) }, { timeout: { minutes: 14, seconds: 35 } }],
    refused: [
      [{ timeout: { milliseconds: 0 } }, "between 1 ms and 875 s", "is 0 ms"],
      [{ timeout: { milliseconds: 0.999 } }, "is 0.999 ms"],
      [{ timeout: { milliseconds: 875_001 } }, "between 1 ms and 875 s", "is 875.001 s"],
      [{ timeout: {} }, "{}"],
      [{ timeout: null }, "null"],
      [{ timeout: 30 }, "30"],
      [{ timeout: 30n }, "30n"],
      [{ timeout: { secs: 30 } }, '"secs"'],
      [{ timeout: { toString: 30 } }, '"toString"'],
      [{ timeout: seconds(-1) }, "at least 0", "is -1"],
      [{ timeout: seconds(Number.NaN) }, "NaN"],
      [{ timeout: { seconds: "30" } }, '"30"'],
    ],
    fix: "give ",
  },
  {
    option: "limit",
    allowed: [{ limit: 1 }, { limit: Number.MAX_SAFE_INTEGER }],
    refused: [
      [{ limit: 0 }, "at least 1", "is 0"],
      [{ limit: 1.5 }, "is 1.5"],
      [{ limit: Number.MAX_SAFE_INTEGER + 1 }, "at least 1"],
    ],
    fix: "leave it out",
  },
  {
    option: "maxBacklog",
    allowed: [{ maxBacklog: 20 }, { maxBacklog: 99_990 }],
    refused: [
      [{ maxBacklog: 19 }, "from 20 to 99990", "is 19"],
      [{ maxBacklog: 0 }, "is 0"],
      [{ maxBacklog: 99_991 }, "from 20 to 99990", "is 99991"],
    ],
    fix: "would leave slots idle",
  },
  {
    option: "memoryMb",
    allowed: [{ memoryMb: 128 }, { memoryMb: 10_240 }],
    refused: [
      [{ memoryMb: 127 }, "128 to 10240", "is 127"],
      [{ memoryMb: 10_241 }, "128 to 10240", "is 10241"],
      [{ memoryMb: null }, "null"],
    ],
    fix: "the limits of Lambda",
  },
  {
    option: "refill",
    allowed: [{ refill: true }, { refill: false }],
    refused: [
      [{ refill: "no" }, '"no"'],
      [{ refill: 0 }, "is 0"],
      [{ refill: null }, "null"],
    ],
    fix: "true or false",
  },
  {
    option: "retry.attempts",
    allowed: [{ retry: { attempts: 1 } }, { retry: { attempts: 100 } }],
    refused: [
      [{ retry: { attempts: 0 } }, "1 to 100", "is 0"],
      [{ retry: { attempts: 101 } }, "1 to 100", "is 101"],
      [{ retry: { attempts: null } }, "null"],
    ],
    fix: "1 means that a failed task is not tried again",
  },
  {
    option: "retry.waitAtMost",
    allowed: [{ retry: { waitAtMost: { seconds: 1 } } }, { retry: { waitAtMost: { days: 8 } } }],
    refused: [
      [{ retry: { waitAtMost: { milliseconds: 999 } } }, "between 1 s and 192 h", "is 999 ms"],
      [{ retry: { waitAtMost: { days: 8, milliseconds: 1 } } }, "between 1 s and 192 h", "is 691200.001 s"],
      [{ retry: { waitAtMost: null } }, "null"],
    ],
    fix: "give ",
  },
  {
    option: "retry.backoff.cap",
    allowed: [{ retry: { backoff: { cap: { hours: 11 } } } }, { retry: { backoff: { cap: { milliseconds: 0 } } } }],
    refused: [
      [{ retry: { backoff: { cap: { hours: 11, milliseconds: 1 } } } }, "between 0 ms and 11 h", "is 39600.001 s"],
      [{ retry: { backoff: { cap: null } } }, "null"],
    ],
    fix: "give ",
  },
  {
    option: "retry.backoff.base",
    allowed: [
      { retry: { backoff: { base: { minutes: 5 } } } },
      { retry: { backoff: { base: seconds(9), cap: seconds(9) } } },
      { retry: { backoff: { base: { milliseconds: 0 } } } },
    ],
    refused: [
      [{ retry: { backoff: { base: { minutes: 5, milliseconds: 1 } } } }, "between 0 ms and 5 min", "is 300.001 s"],
      [{ retry: { backoff: { base: seconds(10), cap: seconds(9) } } }, "between 0 ms and 9 s", "is 10 s"],
    ],
    fix: "give a shorter duration",
  },
  {
    option: "source",
    allowed: [
      { source: { readPage: () => ({ items: [] }) } },
      { source: { pages: items([]).pages } },
      {
        source: new (class {
          async readPage() {
            return { items: [] };
          }
        })(),
      },
    ],
    refused: [
      [{ source: undefined }, "undefined"],
      [{ source: null }, "null"],
      [{ source: [1, 2] }, "[1,2]"],
      [{ source: {} }, "{}"],
      [{ source: () => [] }, "a function"],
      [{ source: { readPage: "https://example.org" } }, "https://example.org"],
      [{ source: { pages: 7 } }, "7"],
      [{ source: circular() }, "[object Object]"],
    ],
    fix: "use httpPages(...)",
  },
  {
    option: "item",
    allowed: [{ item: z.string() }, { item: undefined }],
    refused: [
      [{ item: {} }, "{}"],
      [{ item: null }, "null"],
      [{ item: String }, "a function"],
      [{ item: circular() }, "[object Object]"],
    ],
    fix: "standardschema.dev",
  },
  {
    option: "task",
    allowed: [{ task: async () => {} }],
    refused: [
      [{ task: undefined }, "undefined"],
      [{ task: "index.handler" }, '"index.handler"'],
      [{ task: Symbol("task") }, "Symbol(task)"],
    ],
    fix: "a function (item, context) =>",
  },
];

function circular(): object {
  const object: Record<string, unknown> = {};
  object.self = object;
  return object;
}

describe.each(CASES)("$option", ({ option, allowed, refused, fix }) => {
  test.each(allowed)("allows %j", (changes) => {
    expect(isWorkflow(define(changes))).toBe(true);
  });

  test.each(refused.map(([changes, ...says], number) => ({ number, changes, says })))(
    "refuses $number, saying $says",
    ({ changes, says }) => {
      const message = refusal(changes);
      expect(message).toContain(option);
      for (const part of says) expect(message).toContain(part);
      expect(message).toContain(fix);
    },
  );
});

test.each([
  ["the workflow", { concurency: 5 }, '"concurency"', "concurrency, tasksPerEnvironment"],
  ["the workflow", { onDone: () => {} }, '"onDone"', "use one of name"],
  ["retry", { retry: { attempt: 5 } }, '"attempt"', "use one of attempts, backoff, waitAtMost"],
  ["retry.backoff", { retry: { backoff: { max: 5 } } }, '"max"', "use one of base, cap"],
  ["retry", { retry: 5 }, "5", "(attempts, backoff, waitAtMost)"],
  ["retry", { retry: null }, "null", "(attempts, backoff, waitAtMost)"],
  ["retry.backoff", { retry: { backoff: 1_000 } }, "1000", "(base, cap)"],
  ["retry.backoff", { retry: { backoff: null } }, "null", "(base, cap)"],
])("%s refuses %o", (where, changes, ...says) => {
  const message = refusal(changes);
  for (const part of [where, ...says]) expect(message).toContain(part);
});

test.each([undefined, null, 5, "cities"])("refuses %o instead of options", (options) => {
  expect(() => defineWorkflow(options as never)).toThrow(ConfigurationError);
});

test("concurrency must be a multiple of tasksPerEnvironment, and the advice in the message works", () => {
  for (const [concurrency, tasksPerEnvironment] of [
    [25, 10],
    [15, 10],
    [5, 10],
    [33_000, 99],
    [2_017, 2],
  ] as const) {
    const message = refusal({ concurrency, tasksPerEnvironment });
    expect(message).toContain(`${concurrency} is not a multiple of ${tasksPerEnvironment}`);
    for (const [, advised] of message.matchAll(/concurrency (\d+) or/g)) {
      expect(define({ concurrency: Number(advised), tasksPerEnvironment }).concurrency).toBe(Number(advised));
    }
  }
  expect(refusal({ concurrency: 25, tasksPerEnvironment: 10 })).toContain("choose concurrency 20 or concurrency 30 or");
  expect(refusal({ concurrency: 10, tasksPerEnvironment: 10 })).toContain("10 / 10 = 1: choose a smaller");
  expect(refusal({ concurrency: 2_002, tasksPerEnvironment: 2 })).toContain("2002 / 2 = 1001: choose a larger");
  // A prime above what environments of one task can reach.
  expect(refusal({ concurrency: 1_009 })).toContain("concurrency 1009 cannot be shared evenly");
});

test("a workflow cannot be changed after it was defined", () => {
  const workflow = defineWorkflow(workflowOptions()) as { concurrency: number };
  expect(() => {
    workflow.concurrency = 1;
  }).toThrow(TypeError);
});

test("only the result of defineWorkflow is a workflow", () => {
  for (const value of [undefined, null, 5, {}, workflowOptions()]) expect(isWorkflow(value)).toBe(false);
});
