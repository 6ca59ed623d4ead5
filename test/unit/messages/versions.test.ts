import { describe, expect, test } from "vitest";
import { NewerVersionError } from "../../../shared/base/newer-version.ts";
import { parseControlMessage } from "../../../shared/messages/control.ts";
import {
  deadLetterBody,
  redrivenBody,
  replacementBody,
  truncatedDeadLetterBody,
} from "../../../shared/messages/dead-letter.ts";
import { type Envelope, envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { failureOf } from "../../helpers/failures.ts";

const header = { workflow: "cities", run: "r1", partition: 0, page: 3, epoch: 1, resent: false };
const plain = envelopeBody(header, 7, '{"name":"Bonn"}');
const death = { reason: "exhausted", at: "2026-11-25T08:00:00.000Z", failures: [failureOf("no")] } as const;
const waits = {
  milliseconds: 5,
  throttled: {
    count: 1,
    first: { at: "2026-11-25T08:00:00.000Z", name: "Throttled", message: "slow down", milliseconds: 5 },
    last: { at: "2026-11-25T08:00:00.000Z", name: "Throttled", message: "slow down", milliseconds: 5 },
  },
} as const;

const versionOf = (body: string): unknown => JSON.parse(body).sluice;
const envelope = parseEnvelope(plain);
const deadLetter = deadLetterBody(envelope, death);
const edited = redrivenBody(envelope, death, { redrives: 1, item: { name: "Köln" } });

describe("an envelope is written as the lowest version whose readers understand it", () => {
  test.each<[string, string, 1 | 2 | 3]>([
    ["a plain one", plain, 1],
    ["one that was sent before", envelopeBody({ ...header, resent: true }, 7, "1"), 1],
    ["a dead letter", deadLetter, 1],
    ["one that was redriven as it was", redrivenBody(envelope, death, { redrives: 1 }), 1],
    ["one that was edited", edited, 2],
    ["the dead letter of one that was edited", deadLetterBody(parseEnvelope(edited), death), 2],
    ["one that took the place of another", replacementBody(envelope, 70), 2],
    [
      "the dead letter of one that took the place of another",
      deadLetterBody(parseEnvelope(replacementBody(envelope, 70)), death),
      1,
    ],
    ["one with bigints", envelopeBody(header, 7, { json: "12345678901234567890", bigints: true }), 2],
    ["the dead letter of one with bigints", deadLetterBody({ ...envelope, item: 2n ** 70n }, death), 2],
    ["the dead letter of one that waited", deadLetterBody(envelope, { ...death, waits }), 2],
    [
      "the dead letter of one that waited too long",
      deadLetterBody(envelope, { ...death, reason: "waited too long" }),
      2,
    ],
    ["a message of a run with results", envelopeBody({ ...header, results: true }, 0, "1"), 3],
    ["the dead letter of such an item", deadLetterBody({ ...envelope, results: true }, death), 3],
    [
      "the dead letter of such an item that cannot be sent",
      truncatedDeadLetterBody({ ...header, index: 0, redriveGeneration: 0, results: true }, "1", death),
      3,
    ],
    ["a redriven message of such an item", redrivenBody({ ...envelope, results: true }, death, { redrives: 1 }), 3],
    ["a replacement of such a message", replacementBody({ ...envelope, results: true }, 3), 3],
  ])("%s", (_, body, version) => {
    expect(versionOf(body)).toBe(version);
    // Code reads what it writes, and the version before.
    expect(parseEnvelope(body).sluice).toBe(version);
  });
});

test.each([
  ["an envelope", parseEnvelope, { ...envelope, sluice: 6 } as object, "the envelope has version 6"],
  [
    "an envelope that looks like none",
    parseEnvelope,
    { sluice: 99, was: "all changed" },
    "the envelope has version 99",
  ],
  [
    "a dead letter",
    parseEnvelope,
    { ...(JSON.parse(deadLetter) as Envelope), sluice: 6, dead: 1 },
    "the envelope has version 6",
  ],
  ["a control message", parseControlMessage, { sluice: 4, type: "archive" }, "the control message has version 4"],
])("%s of a newer version is told from a malformed one", (_, parse: (body: string) => unknown, json, message) => {
  expect(() => parse(JSON.stringify(json))).toThrow(NewerVersionError);
  expect(() => parse(JSON.stringify(json))).toThrow(message);
});

test.each(["2", 0, -1, 1.5, null, {}])("a version of %j is malformed", (sluice) => {
  expect(() => parseEnvelope(JSON.stringify({ ...envelope, sluice }))).toThrow("the body is not an envelope");
  expect(() => parseControlMessage(JSON.stringify({ sluice, type: "complete", workflow: "w", run: "r" }))).toThrow(
    "not a control message",
  );
});
