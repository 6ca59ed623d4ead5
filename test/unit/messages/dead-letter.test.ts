import { marshall } from "@aws-sdk/util-dynamodb";
import { describe, expect, test } from "vitest";
import { FAILURE_KINDS, REASONS, roomForMessage, toFailure } from "../../../shared/base/failure.ts";
import { LARGEST_ENVELOPE_BYTES, toItemJson } from "../../../shared/messages/body.ts";
import {
  deadLetterBody,
  redrivenBody,
  replacementBody,
  truncatedDeadLetterBody,
} from "../../../shared/messages/dead-letter.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { fingerprint } from "../../../shared/messages/fingerprint.ts";
import { failureOf, longestFailure, longestFailures } from "../../helpers/failures.ts";
import { refusedBySqs } from "../../helpers/sqs-characters.ts";

const MEBIBYTE = 1_048_576;
const header = { workflow: "w", run: "r", partition: 0, page: 0, epoch: 1, resent: true };
const at = "2026-01-01T00:00:00.000Z";

function largestEnvelope(character = "a") {
  const room = LARGEST_ENVELOPE_BYTES - Buffer.byteLength(envelopeBody(header, 0, '""'));
  const text = character.repeat(Math.floor(room / Buffer.byteLength(character)));
  return parseEnvelope(envelopeBody(header, 0, `"${text}"`));
}

describe("an item's dead letter", () => {
  test("holds the item, the reason and the history, and is an envelope itself", () => {
    const failures = [failureOf(new TypeError("first"), 1), failureOf("second", 2)];
    const envelope = parseEnvelope(envelopeBody(header, 7, '{"id":1}'));
    const deadLetter = parseEnvelope(deadLetterBody(envelope, { reason: "exhausted", at, failures }));
    expect(deadLetter).toEqual({
      sluice: 1,
      workflow: "w",
      run: "r",
      page: 0,
      index: 7,
      epoch: 1,
      item: { id: 1 },
      dead: { reason: "exhausted", at, redrives: 0, failures, fingerprint: fingerprint("NonError", "second") },
    });
  });

  test("counts its redrives", () => {
    const death = { reason: "permanent", at, failures: [] } as const;
    let deadLetter = parseEnvelope(envelopeBody(header, 0, "1"));
    for (const redrives of [0, 1, 2]) {
      deadLetter = parseEnvelope(deadLetterBody(deadLetter, death));
      expect(deadLetter.dead?.redrives).toBe(redrives);
    }
  });

  test("goes on in the redriven message, with fresh attempts, another item, or both", () => {
    const failures = [failureOf(new TypeError("first"), 1)];
    const first = parseEnvelope(
      deadLetterBody(parseEnvelope(envelopeBody(header, 0, "1")), { reason: "exhausted", at, failures }),
    );
    const death = { reason: "exhausted", at, failures } as const;
    expect(parseEnvelope(redrivenBody(first, death, { redrives: 1 }))).toEqual(first);
    const edited = parseEnvelope(redrivenBody(first, death, { redrives: 3, item: { id: 2 } }));
    expect(edited).toMatchObject({ item: { id: 2 }, dead: { redrives: 2, failures } });
    const second = [...failures, failureOf("second", 1)];
    const again = parseEnvelope(deadLetterBody(edited, { reason: "exhausted", at, failures: second }));
    expect(again).toMatchObject({ item: { id: 2 }, dead: { redrives: 3, failures: second } });
  });

  test("cannot go on with an item that is no message", () => {
    const envelope = parseEnvelope(envelopeBody(header, 0, "1"));
    const redriven = (item: unknown) => () =>
      redrivenBody(envelope, { reason: "exhausted", at, failures: [] }, { redrives: 1, item });
    expect(redriven(new Map())).toThrow("not JSON");
    expect(redriven("x".repeat(LARGEST_ENVELOPE_BYTES))).toThrow(`more than the ${LARGEST_ENVELOPE_BYTES}`);
  });

  test("that shows the start of its item needs a whole one", () => {
    const death = { reason: "too large", at, failures: [] } as const;
    const address = { workflow: "w", run: "r", partition: 0, page: 0, index: 0, epoch: 1, redriveGeneration: 0 };
    const deadLetter = parseEnvelope(truncatedDeadLetterBody(address, "x", death));
    expect(parseEnvelope(redrivenBody(deadLetter, death, { redrives: 1 })).dead?.truncated).toBe(true);
    expect(parseEnvelope(redrivenBody(deadLetter, death, { redrives: 1, item: "y" })).dead).not.toHaveProperty(
      "truncated",
    );
  });

  test.each([
    ["an object", { id: 1, name: "Ada 😀", none: null }],
    ["no value", null],
    ["bigints", { id: 12345678901234567890n, small: 5n, number: 5 }],
  ])("a message of %s is replaced by one of the same item", (_what, item) => {
    const envelope = parseEnvelope(envelopeBody({ ...header, resent: false }, 7, toItemJson(item)));
    const replaced = parseEnvelope(replacementBody(envelope, 72));
    expect(replaced).toEqual({ ...envelope, sluice: 2, resent: true, receives: 72 });
    const deadLetter = parseEnvelope(deadLetterBody(replaced, { reason: "exhausted", at, failures: [] }));
    expect(deadLetter).toMatchObject({ item, dead: { redrives: 0 } });
    expect(deadLetter).not.toHaveProperty("receives");
    // Redriven, its receives are counted anew.
    expect(parseEnvelope(replacementBody(deadLetter, 3))).toEqual({
      ...deadLetter,
      sluice: 2,
      resent: true,
      receives: 3,
    });
    const redriven = redrivenBody(
      parseEnvelope(replacementBody(deadLetter, 3)),
      { reason: "exhausted", at, failures: [] },
      { redrives: 1 },
    );
    expect(parseEnvelope(redriven)).toEqual(deadLetter);
  });

  test("fits into a message when it replaces a redriven one that was as large as a message can be", () => {
    const failures = longestFailures(5);
    const deadLetter = deadLetterBody(largestEnvelope(), { reason: "exhausted", at, failures });
    const replaced = replacementBody(parseEnvelope(deadLetter), 999_999);
    expect(Buffer.byteLength(replaced)).toBeLessThanOrEqual(MEBIBYTE);
    expect(parseEnvelope(replaced)).toMatchObject({ receives: 999_999, dead: { reason: "exhausted" } });
  });

  test.each(REASONS)("of the reason %j is readable", (reason) => {
    const envelope = parseEnvelope(envelopeBody(header, 0, "1"));
    expect(parseEnvelope(deadLetterBody(envelope, { reason, at, failures: [] })).dead?.reason).toBe(reason);
  });

  // A control character is one byte of a failure, and six of a body.
  test.each(["x", "日", "\u0001", "\uFFFF"])(
    "of the largest item with 100 of the longest failures (of %j) fits into a message",
    (character) => {
      const failures = longestFailures(100, character);
      const body = deadLetterBody(largestEnvelope(), { reason: "exhausted", at, failures });
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MEBIBYTE);
      expect(refusedBySqs(body)).toEqual([]);
      const kept = parseEnvelope(body).dead?.failures ?? [];
      // The latest are kept, their messages whole.
      expect(kept.length).toBeGreaterThanOrEqual(1);
      expect(kept.at(-1)?.attempt).toBe(100);
      expect(kept.at(-1)?.message).toBe(failures.at(-1)?.message);
      // And so it does, when it dies again and again after redrives.
      const again = deadLetterBody(parseEnvelope(body), { reason: "exhausted", at, failures });
      expect(Buffer.byteLength(again)).toBeLessThanOrEqual(MEBIBYTE);
      expect(parseEnvelope(again).dead?.failures.at(-1)?.attempt).toBe(100);
    },
  );

  test("keeps the whole message of its last failure beside the largest item, unless JSON makes too much of it", () => {
    const death = { reason: "exhausted", at } as const;
    const plain = [longestFailure(1), longestFailure(2)];
    expect(Buffer.byteLength(plain[1]?.message ?? "")).toBeGreaterThan(32_768);
    const kept = parseEnvelope(deadLetterBody(largestEnvelope(), { ...death, failures: plain })).dead?.failures;
    expect(kept?.at(-1)?.message).toBe(plain[1]?.message);

    const escaped = [longestFailure(1, "\u0001")];
    const body = deadLetterBody(largestEnvelope(), { ...death, failures: escaped });
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MEBIBYTE);
    const message = parseEnvelope(body).dead?.failures[0]?.message ?? "";
    expect(message.startsWith("\u0001".repeat(5_000))).toBe(true);
    expect(message).toMatch(/… \(\d+ characters\)$/);
  });

  test("loses its stacks first, the oldest first, and no failure while all fit without", () => {
    const failures = Array.from({ length: 10 }, (_, index) => longestFailure(index + 1, "x", 4_700));
    const body = deadLetterBody(largestEnvelope(), { reason: "exhausted", at, failures });
    const kept = parseEnvelope(body).dead?.failures ?? [];
    expect(kept.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const withStack = kept.filter(({ stack }) => stack !== undefined).map(({ attempt }) => attempt);
    expect(withStack.length).toBeGreaterThan(0);
    expect(withStack.length).toBeLessThan(10);
    expect(withStack).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].slice(-withStack.length));
    // Not one stack more was cut than had to be.
    const oneMoreStack = Buffer.byteLength(JSON.stringify({ stack: longestFailure(1).stack }));
    expect(Buffer.byteLength(body) + oneMoreStack).toBeGreaterThan(MEBIBYTE);
  });

  test("keeps the whole history of a small item", () => {
    const failures = longestFailures(100);
    const envelope = parseEnvelope(envelopeBody(header, 0, "1"));
    expect(parseEnvelope(deadLetterBody(envelope, { reason: "exhausted", at, failures })).dead?.failures).toEqual(
      failures,
    );
  });
});

test("the dead letter of an item that could not be a message shows its start, whatever it was", () => {
  const failures = [longestFailure(0, "\u0001")];
  const fields = { workflow: "w", run: "r", page: 1, index: 2, epoch: 3 };
  for (const text of ["", "[Circular]", "x".repeat(20_000_000), "\u0001".repeat(100_000), `${"a".repeat(16_383)}😀`]) {
    const body = truncatedDeadLetterBody({ ...fields, partition: 0, redriveGeneration: 0 }, text, {
      reason: "too large",
      at,
      failures,
    });
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MEBIBYTE);
    expect(refusedBySqs(body)).toEqual([]);
    const deadLetter = parseEnvelope(body);
    expect(deadLetter).toMatchObject({ ...fields, dead: { reason: "too large", redrives: 0, truncated: true } });
    expect(text.startsWith(String(deadLetter.item))).toBe(true);
    expect(String(deadLetter.item)).toHaveLength(Math.min(text.length, 16_384));
  }
});

describe("a failure", () => {
  test("says what is known of the error", () => {
    const error = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED", { cause: "no route" }) });
    expect(toFailure(error, { attempt: 2, startedAt: 1_000, endedAt: 1_234.6 })).toEqual({
      attempt: 2,
      at: "1970-01-01T00:00:01.000Z",
      durationMilliseconds: 235,
      kind: "threw",
      name: "TypeError",
      message: "fetch failed: connect ECONNREFUSED: no route",
      stack: error.stack,
    });
  });

  test("follows causes three deep, even in a circle", () => {
    const error = new Error("a");
    error.cause = error;
    expect(failureOf(error).message).toBe("a: a: a: a");
  });

  test.each([
    [undefined, "thrown: undefined"],
    [null, "thrown: null"],
    ["just text", "just text"],
    [5, "thrown: 5"],
    [{ status: 500 }, 'thrown: {"status":500}'],
    [Symbol("s"), "thrown: Symbol(s)"],
    [() => {}, "thrown: [object Function]"],
    [5n, "thrown: 5 "],
  ])("of %o, which is no error, says so", (thrown, message) => {
    const failure = failureOf(thrown);
    expect(failure.message).toContain(message);
    expect(failure).toMatchObject({ name: "NonError", kind: "threw" });
    expect(failure).not.toHaveProperty("stack");
  });

  test.each([
    ["a list of call sites", [{}]],
    ["a number", 5],
    ["nothing", undefined],
  ])("of an error whose stack is %s has none", (_, stack) => {
    expect(failureOf(Object.assign(new Error("x"), { stack }))).not.toHaveProperty("stack");
  });

  test("is cut to its first bytes, never within a character", () => {
    const { message, name, stack } = longestFailure(1, "😀");
    for (const text of [message, name, stack ?? ""]) {
      expect(text.isWellFormed()).toBe(true);
      expect(text).toContain("… (80000 characters)");
    }
    expect(longestFailure(1, "x").message).toBe(`${"x".repeat(32_768)}… (40000 characters)`);
    expect(failureOf(new Error("x".repeat(32_768))).message).toBe("x".repeat(32_768));
    expect(failureOf(new Error("half \uD83D")).message).toBe("half \uFFFD");
  });

  test("keeps its message whole where five attempts share a row, and gets a fair share where more do", () => {
    for (const failure of longestFailures(5))
      expect(failure.message).toHaveLength(32_768 + "… (40000 characters)".length);
    expect(roomForMessage([], 11)).toBe(32_545);
    // What the earlier ones did not use is left to the later ones.
    const short = Array.from({ length: 50 }, (_, index) => failureOf(new Error("short"), index + 1));
    expect(roomForMessage(short, 100)).toBeGreaterThan(2 * roomForMessage([], 100));
    expect(roomForMessage([], 100)).toBe(1_800);
  });

  // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
  test.each([
    ["x", 100],
    ["日", 100],
    ["\u0001", 100],
    ["😀", 100],
    ["x", 5],
    ["😀", 12],
  ] as const)("of the longest kind (of %j) %i fit into a row of DynamoDB", (character, attempts) => {
    const row = Object.fromEntries(
      longestFailures(attempts, character).map((failure, index) => [`failure 0.${index}`, failure]),
    );
    let bytes = 0;
    const measure = (value: unknown): void => {
      if (typeof value === "string") bytes += Buffer.byteLength(value);
      else if (typeof value === "object" && value !== null) {
        for (const [key, inner] of Object.entries(value)) {
          // Each entry of a map costs a byte beside its name, and each map three.
          bytes += Buffer.byteLength(key) + 4;
          measure(inner);
        }
      }
    };
    measure(row);
    expect(bytes).toBeLessThan(400 * 1_024);
    expect(marshall(row, { removeUndefinedValues: true })).toBeDefined();
  });

  test("is one of the kinds that an envelope may hold", () => {
    const envelope = parseEnvelope(envelopeBody(header, 0, "1"));
    for (const kind of FAILURE_KINDS) {
      const failures = [toFailure("x", { attempt: 1, startedAt: 0, endedAt: 0, kind })];
      expect(parseEnvelope(deadLetterBody(envelope, { reason: "exhausted", at, failures })).dead?.failures).toEqual(
        failures,
      );
    }
  });
});
