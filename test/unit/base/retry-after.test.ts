import fc from "fast-check";
import { expect, test } from "vitest";
import { parseHttpDate } from "../../../shared/base/http-date.ts";
import { requestedWaitMilliseconds, throttleOf } from "../../../shared/base/retry-after.ts";

const NOW = Date.UTC(2026, 10, 27, 13, 0, 0);
const SECONDS = NOW / 1_000;

type Row = readonly [what: string, headers: Record<string, string> | [string, string][], wait?: number | undefined];

const rows: readonly Row[] = [
  ["no header at all", {}],

  ["seconds", { "Retry-After": "120" }, 120_000],
  ["no time", { "Retry-After": "0" }, 0],
  ["a fraction of a second", { "Retry-After": "0.25" }, 250],
  ["spaces around the seconds", { "Retry-After": "  7 " }, 7_000],
  ["an IMF date", { "Retry-After": "Fri, 27 Nov 2026 14:00:00 GMT" }, 3_600_000],
  ["an RFC 850 date", { "Retry-After": "Friday, 27-Nov-26 13:00:10 GMT" }, 10_000],
  ["an asctime date, which is UTC", { "Retry-After": "Fri Nov 27 13:00:10 2026" }, 10_000],
  ["an asctime date with a short day", { "Retry-After": "Tue Dec  1 13:00:00 2026" }, 4 * 86_400_000],
  ["an ISO date", { "Retry-After": "2026-11-27T14:00:30+01:00" }, 30_000],
  ["a date that has passed", { "Retry-After": "Fri, 27 Nov 2026 12:59:00 GMT" }, 0],
  ["seconds since 1970", { "Retry-After": String(SECONDS + 40) }, 40_000],
  ["several numbers", { "Retry-After": "5, 30, 10" }, 30_000],
  ["several dates", { "Retry-After": "Fri, 27 Nov 2026 13:00:05 GMT, Fri, 27 Nov 2026 13:00:09 GMT" }, 9_000],
  ["a number and a date", { "Retry-After": "60, Fri, 27 Nov 2026 13:00:05 GMT" }, 60_000],
  [
    "several headers",
    [
      ["Retry-After", "3"],
      ["Retry-After", "8"],
    ],
    8_000,
  ],
  ["a number beside what cannot be read", { "Retry-After": "soon, 5" }, 5_000],
  ["nothing", { "Retry-After": "" }],
  ["a word", { "Retry-After": "soon" }],
  ["less than no time", { "Retry-After": "-5" }],
  ["what JavaScript takes for a number", { "Retry-After": "1e3" }],
  ["what JavaScript takes for a date", { "Retry-After": "5 bananas" }],
  ["a date without a time zone", { "Retry-After": "2026-11-27T14:00:30" }],
  ["a number beyond all times", { "Retry-After": "99999999999999999999" }],
  ["milliseconds, which are more exact", { "Retry-After": "2", "Retry-After-Ms": "1500" }, 1_500],
  ["milliseconds of Azure", { "X-Ms-Retry-After-Ms": "42" }, 42],

  ["a policy that is used up", { RateLimit: '"default";r=0;t=30' }, 30_000],
  ["a policy with some left", { RateLimit: '"default";r=3;t=30' }],
  ["a token as name, spaces, other parameters", { RateLimit: 'default; pk="a;t=9,b"; r=0; t=5' }, 5_000],
  ["several policies: the longest that is used up", { RateLimit: '"a";r=0;t=2, "b";r=0;t=60, "c";r=9;t=600' }, 60_000],
  ["a comma in a policy's name", { RateLimit: '"a,b";r=0;t=4' }, 4_000],
  [
    "a policy without a time, by its window",
    { RateLimit: '"a";r=0', "RateLimit-Policy": '"b";q=1;w=9, "a";q=5;w=60' },
    60_000,
  ],
  ["a policy without a time or window", { RateLimit: '"a";r=0', "RateLimit-Policy": '"a";q=5' }],
  ["the policy alone", { "RateLimit-Policy": '"a";q=5;w=60' }],
  ["the older dictionary", { RateLimit: "limit=100, remaining=0, reset=5" }, 5_000],
  ["the older dictionary without spaces, with parameters", { RateLimit: "limit=100;w=60,remaining=0,reset=5" }, 5_000],
  ["the older dictionary with some left", { RateLimit: "limit=100, remaining=1, reset=5" }],
  ["the oldest pair", { "RateLimit-Limit": "100", "RateLimit-Remaining": "0", "RateLimit-Reset": "50" }, 50_000],
  ["the oldest pair with some left", { "RateLimit-Remaining": "1", "RateLimit-Reset": "50" }],
  ["RateLimit that cannot be read", { RateLimit: '"a;r=0;;=,' }],

  ["X-RateLimit, seconds", { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40" }, 40_000],
  [
    "X-RateLimit, seconds since 1970",
    { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": String(SECONDS + 40) },
    40_000,
  ],
  ["X-RateLimit, with a fraction", { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": `${SECONDS + 1}.500` }, 1_500],
  [
    "X-RateLimit, milliseconds since 1970",
    { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": String(NOW + 1_234) },
    1_234,
  ],
  ["X-RateLimit, an ISO date", { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-11-27T13:00:07.5Z" }, 7_500],
  [
    "X-RateLimit, an HTTP date",
    { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "Fri, 27 Nov 2026 13:00:08 GMT" },
    8_000,
  ],
  [
    "X-RateLimit, a time that has passed",
    { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": String(SECONDS - 9) },
    0,
  ],
  ["X-RateLimit with some left", { "X-RateLimit-Remaining": "17", "X-RateLimit-Reset": String(SECONDS + 40) }],
  ["X-RateLimit beyond its limit", { "X-RateLimit-Remaining": "-2", "X-RateLimit-Reset": "6" }, 6_000],
  ["X-RateLimit without a reset", { "X-RateLimit-Remaining": "0" }],
  ["X-RateLimit without a remaining", { "X-RateLimit-Reset": "40" }],
  ["X-RateLimit-Reset-After", { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.25" }, 1_250],
  ["X-Rate-Limit", { "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "11" }, 11_000],
  [
    "a limit of requests, a duration",
    { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s" },
    360_000,
  ],
  [
    "a limit of tokens, a short duration",
    { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "17ms" },
    17,
  ],
  [
    "two limits, one of them used up",
    {
      "x-ratelimit-remaining-requests": "59",
      "x-ratelimit-reset-requests": "1h",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "1m30.5s",
    },
    90_500,
  ],
  [
    "a vendor's prefix",
    { "anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-11-27T13:00:03Z" },
    3_000,
  ],

  [
    "Retry-After before the others",
    { "Retry-After": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40" },
    5_000,
  ],
  [
    "Retry-After that cannot be read",
    { "Retry-After": "soon", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40" },
    40_000,
  ],

  // The service's clock is 5 min behind ours.
  [
    "a date by the service's clock",
    { Date: "Fri, 27 Nov 2026 12:55:00 GMT", "Retry-After": "Fri, 27 Nov 2026 12:56:00 GMT" },
    60_000,
  ],
  [
    "a time since 1970 by the service's clock",
    { Date: "Fri, 27 Nov 2026 12:55:00 GMT", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": String(SECONDS - 260) },
    40_000,
  ],
  ["seconds, whatever the service's clock says", { Date: "Fri, 27 Nov 2026 12:55:00 GMT", "Retry-After": "9" }, 9_000],
  [
    "a date in an answer that was cached for 50 s",
    { Date: "Fri, 27 Nov 2026 12:59:10 GMT", Age: "50", "Retry-After": "Fri, 27 Nov 2026 13:00:10 GMT" },
    10_000,
  ],
  ["a Date that cannot be read", { Date: "today", "Retry-After": "Fri, 27 Nov 2026 13:00:10 GMT" }, 10_000],
];

test.each(rows.map(([what, headers, wait]) => ({ what, headers, wait })))(
  "a response asks to wait: $what",
  ({ headers, wait }) => {
    expect(requestedWaitMilliseconds(new Headers(headers), NOW)).toBe(wait);
  },
);

test("for any headers, the wait is finite or undefined", () => {
  const name = fc.constantFrom("retry-after", "ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset", "date", "age");
  const value = fc.oneof(
    fc.stringMatching(/^[ -~]*$/),
    fc.constantFrom("0", "-1", '"a";r=0;t=1e9', "NaN", "Infinity", "Fri, 99 Nov 2026 99:99:99 GMT", "999999999999"),
  );
  fc.assert(
    fc.property(fc.dictionary(name, value), (headers) => {
      const wait = requestedWaitMilliseconds(new Headers(headers), NOW);
      expect(wait === undefined || (Number.isFinite(wait) && wait >= 0)).toBe(true);
    }),
  );
});

test.each([
  [429, {}, { waitMilliseconds: undefined }],
  [429, { "retry-after": "3" }, { waitMilliseconds: 3_000 }],
  // The status says that something is used up, so a reset alone is enough.
  [429, { "x-ratelimit-reset": "4" }, { waitMilliseconds: 4_000 }],
  [429, { "x-ratelimit-remaining": "7", "x-ratelimit-reset": "4" }, { waitMilliseconds: undefined }],
  [403, {}, undefined],
  [403, { "x-ratelimit-remaining": "7", "x-ratelimit-reset": "4" }, undefined],
  [403, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(SECONDS + 40) }, { waitMilliseconds: 40_000 }],
  [503, {}, undefined],
  [503, { "retry-after": "Fri, 27 Nov 2026 13:00:10 GMT" }, { waitMilliseconds: 10_000 }],
  [200, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "4" }, undefined],
  [500, { "retry-after": "3" }, undefined],
])("status %i with %j is a throttle: %j", (status, headers, throttle) => {
  expect(throttleOf({ status, headers: new Headers(Object.entries(headers)) }, NOW)).toEqual(throttle);
});

test("a year with two digits is at most 50 years ahead", () => {
  expect(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT", NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
  expect(parseHttpDate("Friday, 27-Nov-76 13:00:00 GMT", NOW)).toBe(Date.UTC(2076, 10, 27, 13));
  expect(parseHttpDate("Saturday, 27-Nov-77 13:00:00 GMT", NOW)).toBe(Date.UTC(1977, 10, 27, 13));
});
