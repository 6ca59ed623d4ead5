import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ItemError, MalformedMessageError } from "../../../shared/base/errors.ts";
import { LARGEST_ENVELOPE_BYTES, toAttributeText, toJson } from "../../../shared/messages/body.ts";
import { envelopeBody, type PageHeader, parseEnvelope } from "../../../shared/messages/envelope.ts";
import { isParsedCorrectly } from "../../helpers/json-keys.ts";
import { refusedBySqs } from "../../helpers/sqs-characters.ts";

const header: PageHeader = { workflow: "cities", run: "r1", partition: 0, page: 3, epoch: 1, resent: false };

// Any UTF-16 code units: halves of pairs, control characters and noncharacters too.
const anyText = fc
  .array(
    fc.oneof(
      fc.nat(0xffff),
      fc.nat(0x1f),
      fc.constantFrom(0xfffe, 0xffff, 0xd83d, 0xde00, 0x22, 0x5c, 0x7f, 0x2028, 0xfeff),
    ),
    { maxLength: 20 },
  )
  .map((units) => String.fromCharCode(...units));
const anyItem = fc.letrec((tie) => ({
  item: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => number + 0),
    anyText,
    fc.array(tie("item"), { maxLength: 4 }),
    fc.dictionary(anyText, tie("item"), { maxKeys: 4 }),
  ),
})).item;

test("any item comes back the same, in a body that SQS accepts", () => {
  fc.assert(
    fc.property(
      anyItem,
      fc.nat(),
      fc.nat(199),
      fc.integer({ min: 1 }),
      fc.boolean(),
      (item, page, index, epoch, resent) => {
        fc.pre(isParsedCorrectly(JSON.stringify(item)));
        const body = envelopeBody({ ...header, page, epoch, resent }, index, toJson(item));
        expect(refusedBySqs(body)).toEqual([]);
        const envelope = parseEnvelope(body);
        // By their text, in which 0 is -0.
        expect(JSON.stringify(envelope.item)).toBe(JSON.stringify(item));
        const { item: _, ...address } = envelope;
        expect(address).toEqual({
          sluice: page < 1_000_000 ? 1 : 5,
          workflow: "cities",
          run: "r1",
          page,
          index,
          epoch,
          ...(resent && { resent: true }),
        });
      },
    ),
    { numRuns: 500 },
  );
});

test.each(["😀", "\uFFFE", "\uFFFF", "\uD83D", "\uDE00\uD83D", "\u0000\u0008\u001F", "\\uFFFE", "a\\\uFFFF", '"'])(
  "the text %j comes back the same, as an item and as a key",
  (text) => {
    const item = { [text]: [text] };
    const body = envelopeBody(header, 0, toJson(item));
    expect(refusedBySqs(body)).toEqual([]);
    expect(parseEnvelope(body).item).toEqual(item);
  },
);

test("an item that brings its own envelope's keys stays an item", () => {
  const item = { sluice: 1, dead: {}, __proto__: null, run: "other" };
  expect(parseEnvelope(envelopeBody(header, 0, toJson(item)))).toMatchObject({ run: "r1", item: { run: "other" } });
});

describe("the largest item", () => {
  const empty = Buffer.byteLength(envelopeBody(header, 0, '""'));
  const filled = (character: string, bytes: number) => {
    const each = Buffer.byteLength(character);
    const count = Math.floor((bytes - empty) / each);
    return `"${character.repeat(count)}${"a".repeat(bytes - empty - count * each)}"`;
  };

  test.each(["a", "é", "日", "😀"])("of %s may fill the envelope to its last byte, and not one more", (character) => {
    const body = envelopeBody(header, 0, filled(character, LARGEST_ENVELOPE_BYTES));
    expect(Buffer.byteLength(body)).toBe(LARGEST_ENVELOPE_BYTES);
    const oneMore = () => envelopeBody(header, 0, filled(character, LARGEST_ENVELOPE_BYTES + 1));
    expect(oneMore).toThrow(ItemError);
    expect(oneMore).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
    expect(oneMore).toThrow(`takes ${LARGEST_ENVELOPE_BYTES + 1} bytes, more than the ${LARGEST_ENVELOPE_BYTES}`);
  });

  test("is measured with the characters that had to be escaped", () => {
    // Three bytes of UTF-8, six as an escape.
    const characters = "\uFFFE".repeat(LARGEST_ENVELOPE_BYTES / 6 + 1);
    expect(Buffer.byteLength(characters)).toBeLessThan(LARGEST_ENVELOPE_BYTES);
    expect(() => envelopeBody(header, 0, toJson(characters))).toThrow(ItemError);
  });
});

describe("a body that is no envelope", () => {
  const good = { sluice: 1, workflow: "w", run: "r", page: 0, index: 0, epoch: 1, item: null };
  const dead = { reason: "exhausted", at: "2026-01-01", redrives: 0, failures: [] };
  const failure = { attempt: 1, at: "2026-01-01", durationMilliseconds: 1, kind: "threw", name: "E", message: "m" };

  test("while this is one", () => {
    expect(parseEnvelope(JSON.stringify(good))).toEqual(good);
    expect(parseEnvelope(JSON.stringify({ ...good, dead: { ...dead, failures: [failure] } }))).toBeDefined();
  });

  test.each([
    ["empty", ""],
    ["text", "hello"],
    ["half of one", JSON.stringify(good).slice(0, -1)],
    ["an emoji", "😀"],
    ["XML", "<a/>"],
  ])("%s: not JSON", (_, body) => {
    expect(() => parseEnvelope(body)).toThrow(MalformedMessageError);
    expect(() => parseEnvelope(body)).toThrow("the body is not JSON");
  });

  test.each<readonly [name: string, value: unknown]>([
    ["null", null],
    ["a number", 5],
    ["a list", [good]],
    ["an empty object", {}],
    ["another's message", { Records: [] }],
    ["of no version", { ...good, sluice: 0 }],
    ["with its version as text", { ...good, sluice: "1" }],
    ["with a key too many", { ...good, colour: "red" }],
    ["with a page as text", { ...good, page: "0" }],
    ["with a negative index", { ...good, index: -1 }],
    ["with half an index", { ...good, index: 0.5 }],
    ["with a page beyond all integers", { ...good, page: 1e300 }],
    ["of epoch 0", { ...good, epoch: 0 }],
    ["resent: false", { ...good, resent: false }],
    ["with an unknown reason", { ...good, dead: { ...dead, reason: "bored" } }],
    ["with a failure of unknown kind", { ...good, dead: { ...dead, failures: [{ ...failure, kind: "x" }] } }],
    ["with a failure's key too many", { ...good, dead: { ...dead, failures: [{ ...failure, x: 1 }] } }],
    ...Object.keys(good)
      .filter((key) => key !== "item")
      .map((key) => [`without ${key}`, { ...good, [key]: undefined }] as const),
  ])("%s", (_, value) => {
    const body = JSON.stringify(value);
    expect(() => parseEnvelope(body)).toThrow(MalformedMessageError);
    expect(() => parseEnvelope(body)).toThrow("the body is not an envelope");
  });

  test("whatever it is, the error is ours", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (body) => {
        expect(() => parseEnvelope(body)).toThrow(MalformedMessageError);
      }),
    );
  });
});

test("text for an attribute keeps what SQS takes, and marks what it does not", () => {
  expect(toAttributeText("plain\t\r\n é 日 😀")).toBe("plain\t\r\n é 日 😀");
  expect(toAttributeText("\u0000\u000B\u001F\uFFFE\uFFFF\uD83D\uDE00".slice(0, 6))).toBe("\uFFFD".repeat(6));
  fc.assert(
    fc.property(anyText, (text) => {
      expect(refusedBySqs(toAttributeText(text))).toEqual([]);
    }),
  );
});
