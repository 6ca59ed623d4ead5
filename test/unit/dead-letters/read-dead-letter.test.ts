import { expect, test } from "vitest";
import { DeadLetterGroups } from "../../../shared/dead-letters/groups.ts";
import { type DeadLetter, toDeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { deadLetterBody } from "../../../shared/messages/dead-letter.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { fingerprint } from "../../../shared/messages/fingerprint.ts";
import { failureOf } from "../../helpers/failures.ts";

const envelope = parseEnvelope(
  envelopeBody({ workflow: "cities", run: "r1", partition: 0, page: 3, epoch: 2, resent: true }, 7, '{"name":"Bonn"}'),
);
const address = { workflow: "cities", run: "r1", page: 3, index: 7, epoch: 2, item: { name: "Bonn" } };
const died = { reason: "exhausted", at: "2026-11-25T08:00:00.000Z" } as const;
const sentAt = "2026-11-25T08:00:01.000Z";
const message = (body: string, more: Partial<Parameters<typeof toDeadLetter>[0]> = {}) => ({
  id: "id",
  receiptHandle: "handle",
  body,
  receiveCount: 2,
  attributes: {},
  systemAttributes: { SentTimestamp: String(Date.parse(sentAt)) },
  ...more,
});

test("A dead letter says which item died, when, and why", () => {
  const failures = [failureOf(new TypeError("first"), 1), failureOf(new RangeError("5 is too much"), 2)];
  const body = deadLetterBody(envelope, { ...died, failures });
  expect(toDeadLetter(message(body), 3_600)).toEqual({
    ...address,
    id: "id",
    kind: "dead letter",
    reason: "exhausted",
    diedAt: died.at,
    sentAt,
    expiresAt: "2026-11-25T09:00:01.000Z",
    receiveCount: 2,
    truncated: false,
    redrives: 0,
    failures,
    error: { name: "RangeError", message: "5 is too much" },
    fingerprint: fingerprint("RangeError", "5 is too much"),
    body,
    attributes: {},
    movedFrom: null,
  });
  // The body contains the same fingerprint, for programs that read the body without this library.
  expect(JSON.parse(body).dead.fingerprint).toEqual(fingerprint("RangeError", "5 is too much"));
});

test("A message of Sluice that SQS moved has the reason unexplained", () => {
  const movedFrom = "arn:aws:sqs:x:1:queue";
  const systemAttributes = { SentTimestamp: String(Date.parse(sentAt)), DeadLetterQueueSourceArn: movedFrom };
  const raw = toDeadLetter(message(JSON.stringify(envelope), { systemAttributes }));
  expect(raw).toMatchObject({ ...address, kind: "raw", reason: "unexplained", diedAt: sentAt, redrives: 0, movedFrom });
  expect(raw.error.message).toContain("no outcome was recorded");
  expect(raw.expiresAt).toBeNull();
  // After an import, the attribute of SQS is lost. An envelope without a death can only be a moved message.
  expect(toDeadLetter(message(JSON.stringify(envelope))).kind).toBe("raw");
  const failures = [failureOf("first", 1)];
  const redriven = toDeadLetter(message(deadLetterBody(envelope, { ...died, failures }), { systemAttributes }));
  expect(redriven).toMatchObject({ kind: "raw", reason: "unexplained", redrives: 1, failures });
});

test.each([
  ["hello", "hello", "not JSON"],
  ['{"a":1}', { a: 1 }, "not an envelope"],
  ["7", 7, "not an envelope"],
  [JSON.stringify({ ...envelope, sluice: 0 }), { ...envelope, sluice: 0 }, "not an envelope"],
])("The dead letter %s is foreign", (body, item, why) => {
  const deadLetter = toDeadLetter(message(body));
  expect(deadLetter).toMatchObject({ kind: "foreign", reason: "malformed message", run: null, page: null, item, body });
  expect(deadLetter.error.message).toContain(why);
  const text = "malformed message: the run is not in this ledger";
  const told = toDeadLetter(message(body, { attributes: { SluiceReason: { DataType: "String", StringValue: text } } }));
  expect(told.error).toEqual({ name: "MalformedMessageError", message: "the run is not in this ledger" });
  expect(told.attributes).toEqual({ SluiceReason: { dataType: "String", stringValue: text } });
});

const deadLetterOf = (more: Partial<DeadLetter>): DeadLetter => ({
  ...toDeadLetter(message(JSON.stringify(envelope))),
  ...more,
});
const at = (minutes: number) => new Date(Date.parse(sentAt) + minutes * 60_000).toISOString();

test("Dead letters are grouped by their errors, the largest group first, with the latest as an example", () => {
  const groups = new DeadLetterGroups("error");
  const errors = ["item 1 is bad", "item 2 is bad", "no route", "item 3 is bad"];
  for (const [minute, text] of errors.entries()) {
    groups.add(
      deadLetterOf({
        id: `letter-${minute}`,
        diedAt: at(minute === 3 ? -1 : minute),
        error: { name: "Error", message: text },
        fingerprint: fingerprint("Error", text),
        reason: minute === 0 ? "permanent" : "exhausted",
      }),
    );
  }
  expect(groups.sorted).toMatchObject([
    {
      key: fingerprint("Error", "item 1 is bad").id,
      name: "Error: item <n> is bad",
      count: 3,
      reasons: { permanent: 1, exhausted: 2 },
      firstDiedAt: at(-1),
      lastDiedAt: at(1),
      example: { id: "letter-1" },
    },
    { name: "Error: no route", count: 1 },
  ]);
});

test("Dead letters are grouped by reason, by run, and by age", () => {
  const sorted = (by: "reason" | "run" | "age") => {
    const groups = new DeadLetterGroups(by, Date.parse(at(0)));
    groups.add(deadLetterOf({ diedAt: at(-2_000) }));
    groups.add(deadLetterOf({ diedAt: at(0), run: null, reason: "permanent" }));
    groups.add(deadLetterOf({ diedAt: at(-30) }));
    groups.add(deadLetterOf({ diedAt: at(-31) }));
    groups.add(deadLetterOf({ diedAt: at(-60_000) }));
    return groups.sorted.map(({ name, count }) => [name, count]);
  };
  expect(sorted("reason")).toEqual([
    ["unexplained", 4],
    ["permanent", 1],
  ]);
  expect(sorted("run")).toEqual([
    ["r1", 4],
    ["(of no run)", 1],
  ]);
  expect(sorted("age")).toEqual([
    ["under 1 minute", 1],
    ["under 1 hour", 2],
    ["under 3 days", 1],
    ["7 days and more", 1],
  ]);
});

test("The number of groups is bounded, and every dead letter is in a group", () => {
  const groups = new DeadLetterGroups("error");
  for (let n = 0; n < 10_500; n++) {
    groups.add(
      deadLetterOf({
        fingerprint: { id: String(n), text: String(n) },
        error: { name: "E", message: "x".repeat(5_000) },
      }),
    );
  }
  const { sorted } = groups;
  expect(sorted).toHaveLength(10_001);
  expect(sorted[0]).toMatchObject({ name: "(others)", count: 500 });
  expect(sorted.reduce((sum, { count }) => sum + count, 0)).toBe(10_500);
  expect(sorted[1]?.example.error.message.length).toBeLessThan(600);
});

test("A dead letter of a newer version is not a foreign one, and its reason is read if it is known", () => {
  const error = { name: "NewerVersionError", message: expect.stringContaining("the envelope has version 6") };
  const newer = toDeadLetter(
    message(JSON.stringify({ sluice: 6, item: 1, dead: { reason: "permanent", more: true } })),
  );
  expect(newer).toMatchObject({ kind: "newer", reason: "permanent", workflow: null, run: null, failures: [], error });
  expect(toDeadLetter(message(JSON.stringify({ sluice: 6, dead: { reason: "new one" } }))).reason).toBe("unexplained");
  expect(toDeadLetter(message(JSON.stringify({ sluice: 6 })))).toMatchObject({ kind: "newer", reason: "unexplained" });
});
