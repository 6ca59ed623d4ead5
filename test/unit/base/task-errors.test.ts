import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { requestedWaitOf, WAIT } from "../../../shared/base/requested-wait.ts";
import { ConfigurationError, RetryLater, Throttled, type WaitSource } from "../../../shared/index.ts";

const NOW = Date.UTC(2026, 10, 27, 13, 0, 0);

beforeEach(() => vi.useFakeTimers({ now: NOW, toFake: ["Date"] }));
afterEach(() => vi.useRealTimers());

const date = "Fri, 27 Nov 2026 14:00:00 GMT";
const epoch = String(NOW / 1_000 + 40);

/** As axios and node-fetch have them, which do not extend the global class. */
class ForeignHeaders {
  readonly #entries: readonly (readonly [string, unknown])[];

  constructor(entries: readonly (readonly [string, unknown])[]) {
    this.#entries = entries;
  }

  get(name: string): unknown {
    return this.#entries.find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1] ?? null;
  }

  [Symbol.iterator]() {
    return this.#entries[Symbol.iterator]();
  }
}

describe.each([
  ["Throttled", (after: WaitSource) => new Throttled(after), "throttled"],
  ["RetryLater", (after: WaitSource) => new RetryLater(after), "retryLater"],
] as const)("%s", (_name, make, kind) => {
  test.each<[string, WaitSource, number | undefined]>([
    ["a duration", { minutes: 1, seconds: 30 }, 90_000],
    ["no time", { seconds: 0 }, 0],
    ["more than SQS can hide a message for", { days: 3 }, 259_200_000],
    ["a header in seconds", "120", 120_000],
    ["a header with a date", date, 3_600_000],
    ["a header with a date that has passed", "Fri, 27 Nov 2026 12:00:00 GMT", 0],
    ["a header that cannot be read", "soon", undefined],
    ["an empty header", "", undefined],
    ["a header that is missing", new Headers().get("retry-after"), undefined],
    ["nothing", undefined, undefined],
    ["headers", new Headers({ "retry-after": date }), 3_600_000],
    ["a response", new Response(null, { status: 503, headers: { "retry-after": "7" } }), 7_000],
    [
      "a response that tells when its limit is filled up",
      new Response(null, { status: 403, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": epoch } }),
      40_000,
    ],
    ["a 429 with a reset alone", new Response(null, { status: 429, headers: { "ratelimit-reset": "9" } }), 9_000],
    ["a response that asks for nothing", new Response(null, { status: 429 }), undefined],
    ["a response of node:http", { status: 429, headers: { "retry-after": "4", "set-cookie": ["a", "b"] } }, 4_000],
    [
      "headers of another class",
      new ForeignHeaders([
        ["Retry-After", "6"],
        ["Set-Cookie", ["a", "b"]],
      ]),
      6_000,
    ],
    ["a response with such headers", { status: 429, headers: new ForeignHeaders([["RateLimit-Reset", "8"]]) }, 8_000],
    ["an error's response without a status", { headers: { "retry-after": "5" } }, 5_000],
  ])("takes %s", (_what, after, afterMilliseconds) => {
    const error = make(after);
    expect(error.afterMilliseconds).toBe(afterMilliseconds);
    expect(requestedWaitOf(error)).toEqual({ kind, afterMilliseconds });
  });

  test.each([{ seconds: Number(date) }, { seconds: -1 }, { fortnights: 1 }, {}, 30, true] as unknown as WaitSource[])(
    "refuses %j",
    (after) => expect(() => make(after)).toThrow(ConfigurationError),
  );
});

test("a wait from another copy of the library is recognised by its tag or by its code", () => {
  const throttled = runInNewContext("Object.assign(new Error('busy'), { [tag]: wait })", {
    tag: WAIT,
    wait: { kind: "throttled", afterMilliseconds: 5 },
  });
  expect(throttled instanceof Error).toBe(false);
  expect(requestedWaitOf(throttled)).toEqual({ kind: "throttled", afterMilliseconds: 5 });
  const old = Object.assign(new Error("later"), { code: "RETRY_LATER", afterMilliseconds: 2_500 });
  expect(requestedWaitOf(old)).toEqual({ kind: "retryLater", afterMilliseconds: 2_500 });
});

const revoked = Proxy.revocable({}, {});
revoked.revoke();

test.each([
  ["an error", new Error("x")],
  ["nothing", undefined],
  ["null", null],
  ["a text", "RETRY_LATER"],
  ["a kind that this version does not know", { [WAIT]: { kind: "sabbatical" } }],
  ["a wait that is no object", { [WAIT]: null }],
  [
    "a getter that throws",
    {
      get code() {
        throw new Error("no");
      },
    },
  ],
  ["a revoked proxy", revoked.proxy],
])("%s is not a wait", (_what, thrown) => expect(requestedWaitOf(thrown)).toBeUndefined());

test.each([new RetryLater({ days: 1e300 }), new RetryLater({ days: 1e308 }), new RetryLater(`${"9".repeat(150)}d`)])(
  "a wait of any length is a number that the ledger and a date can hold, %#",
  (error) => expect(requestedWaitOf(error)?.afterMilliseconds).toBe(100 * 365 * 86_400_000),
);

test.each([Number.NaN, -1, "5", undefined])("with a wait of %s, the backoff decides", (after) => {
  expect(requestedWaitOf({ [WAIT]: { kind: "throttled", afterMilliseconds: after } })).toEqual({
    kind: "throttled",
    afterMilliseconds: undefined,
  });
});
