import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import { type HttpPagesOptions, httpPages, singlePage } from "../../../shared/sources/index.ts";
import { itemsOf } from "./reading.ts";

const JSON_TYPE = "application/json";
const latin1 = (text: string) => Buffer.from(text, "latin1");
const utf16 = (text: string, mark = "") => Buffer.from(mark + text, "utf16le");
const MÜLLER = '{"data":[{"name":"Müller"}]}';

/** The items of a source whose only response has these bytes, in chunks of a size, or the message of its error. */
async function read(
  bytes: Uint8Array,
  contentType: string | undefined,
  {
    chunk = bytes.length,
    status = 200,
    ...options
  }: { chunk?: number; status?: number } & Partial<HttpPagesOptions> = {},
): Promise<unknown> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += chunk)
        controller.enqueue(Uint8Array.from(bytes.subarray(at, at + chunk)));
      controller.close();
    },
  });
  const headers = contentType === undefined ? {} : { "content-type": contentType };
  const fetch = (async () => new Response(body, { status, headers })) as typeof globalThis.fetch;
  const source = httpPages({ url: "https://example.com/x", items: "data", next: singlePage, fetch, ...options });
  try {
    return (await itemsOf(source))[0];
  } catch (error) {
    expect(error).toBeInstanceOf(SourceError);
    return (error as Error).message;
  }
}

const müller = { name: "Müller" };

describe("a JSON body", () => {
  it.each([
    ["application/json; charset=ISO-8859-1", latin1(MÜLLER)],
    ["application/json;charset=iso-8859-1;profile=x", latin1(MÜLLER)],
    ['application/json; profile=x; Charset = "Latin1"', latin1(MÜLLER)],
    ["application/json; charset='ISO-8859-15'", latin1(MÜLLER)],
    ["application/json; charset=windows-1252", latin1(MÜLLER)],
    ["application/json; charset=utf-8", Buffer.from(MÜLLER)],
    ["application/json; charset=UTF8", Buffer.from(MÜLLER)],
    ["application/json; charset=", Buffer.from(MÜLLER)],
    [JSON_TYPE, Buffer.from(MÜLLER)],
    [undefined, Buffer.from(MÜLLER)],
    ["application/json; charset=utf-16", utf16(MÜLLER)],
    ["application/json; charset=utf-16be", utf16(MÜLLER).swap16()],
    // The byte order mark comes first, and is not part of the text.
    [JSON_TYPE, Buffer.from(`\ufeff${MÜLLER}`)],
    ["application/json; charset=iso-8859-1", Buffer.from(`\ufeff${MÜLLER}`)],
    [JSON_TYPE, utf16(MÜLLER, "\ufeff")],
    ["application/json; charset=utf-16", utf16(MÜLLER, "\ufeff").swap16()],
  ])("of the type %s is decoded", async (type, bytes) => {
    expect(await read(bytes, type)).toEqual(müller);
    expect(await read(bytes, type, { chunk: 1 })).toEqual(müller);
  });

  it.each<[string | undefined, Uint8Array, string]>([
    [
      JSON_TYPE,
      latin1(MÜLLER),
      'not UTF-8, and its content type "application/json" declares no charset: byte 19 is 0xFC',
    ],
    [undefined, latin1(MÜLLER), 'not UTF-8, and its content type "" declares no charset: byte 19 is 0xFC'],
    [
      "application/json; charset=utf-8",
      latin1(MÜLLER),
      'not utf-8, as its content type "application/json; charset=utf-8" says: byte 19 is 0xFC',
    ],
    [
      "application/json; charset=us-ascii",
      Buffer.from(MÜLLER),
      'not us-ascii, as its content type "application/json; charset=us-ascii" says: byte 19 is 0xC3',
    ],
    [
      "application/json; charset=shift_jis",
      Buffer.concat([Buffer.from('{"data":["'), Buffer.from([0x83, 0x65, 0xff, 0x22])]),
      'not shift_jis, as its content type "application/json; charset=shift_jis" says: byte 12 is 0xFF',
    ],
    [JSON_TYPE, utf16(MÜLLER, "\ufeff").subarray(0, -1), "not utf-16le, as its byte order mark says: byte 56 is 0x7D"],
  ])("of the type %s with bytes that are invalid in the charset is an error", async (type, bytes, message) => {
    const fix = 'Set the option charset to the charset that the service uses, such as charset: "iso-8859-1"';
    const expected = `GET https://example.com/x answered with a body that is ${message}. ${fix}`;
    expect(await read(bytes, type)).toBe(expected);
    expect(await read(bytes, type, { chunk: 1 })).toBe(expected);
  });

  it.each<[string, number[], number]>([
    ["a byte that begins no character", [0x61, 0xff], 1],
    ["a character whose second byte is missing", [0x61, 0xc3, 0x62], 1],
    ["a character that is cut at the end", [0x61, 0xf0, 0x9f, 0x98], 1],
    ["a byte of a character without its start", [0x61, 0x80], 1],
    ["an overlong form", [0x61, 0xc0, 0xaf], 1],
    ["half of a surrogate pair", [0x61, 0xed, 0xa0, 0x80], 1],
  ])("is an error that names the place of %s", async (_, bytes, offset) => {
    expect(await read(Uint8Array.from(bytes), JSON_TYPE)).toContain(`byte ${offset} is 0x`);
  });

  it("is an error that names the first byte that is not UTF-8, after any text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.string(), async (before, after) => {
        const start = Buffer.from(before.toWellFormed());
        const bytes = Buffer.concat([start, Buffer.from([0xff]), Buffer.from(after.toWellFormed())]);
        fc.pre(bytes[0] !== 0xff || bytes[1] !== 0xfe);
        expect(await read(bytes, JSON_TYPE)).toContain(`byte ${start.length} is 0xFF`);
      }),
      { numRuns: 200 },
    );
  });

  it("that is compressed without saying so is an error that names gzip, not the charset", async () => {
    expect(await read(gzipSync(MÜLLER), JSON_TYPE)).toBe(
      "GET https://example.com/x answered with a body that is compressed by gzip, but its content-encoding does not say so: " +
        "decompress the body in the option fetch",
    );
  });

  it("in an unknown charset is an error that names it", async () => {
    expect(await read(Buffer.from(MÜLLER), "application/json; charset=utf-9")).toBe(
      'GET https://example.com/x answered in the unknown charset "utf-9", as its content type ' +
        '"application/json; charset=utf-9" says. Set the option charset to the charset that the service uses, such as ' +
        'charset: "iso-8859-1"',
    );
  });

  it("is decoded by the option charset, which takes precedence over the content type", async () => {
    const charset = "iso-8859-1";
    expect(await read(latin1(MÜLLER), JSON_TYPE, { charset })).toEqual(müller);
    expect(await read(latin1(MÜLLER), "application/json; charset=utf-9", { charset })).toEqual(müller);
    expect(await read(latin1(MÜLLER), JSON_TYPE, { charset: "utf-8" })).toContain(
      "as the option charset says: byte 19",
    );
  });

  it("keeps every character of UTF-8, however its chunks divide them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 7 }), async (text, chunk) => {
        const body = JSON.stringify({ data: [text] });
        expect(await read(Buffer.from(body), JSON_TYPE, { chunk })).toBe(JSON.parse(body).data[0]);
      }),
      { numRuns: 200 },
    );
  });

  it("keeps a U+FFFD that the service sent", async () => {
    expect(await read(Buffer.from('{"data":["\ufffd"]}'), JSON_TYPE)).toBe("\ufffd");
  });

  it("that is empty is described as empty", async () => {
    expect(await read(new Uint8Array(), JSON_TYPE)).toMatch(
      /did not answer with JSON \(application\/json\): \(an empty body\)/,
    );
  });
});

describe("the body of an error", () => {
  it.each([
    ["text/plain; charset=ISO-8859-1", latin1("Größe"), "Größe"],
    ["text/plain", Buffer.from("Größe"), "Größe"],
    ["text/plain", latin1("Größe"), "Gr��e"],
    ["text/plain; charset=utf-9", Buffer.from("Größe"), "Größe"],
  ])("of the type %s is shown, decoded or not", async (type, bytes, text) => {
    expect(await read(bytes, type, { status: 400 })).toBe(`GET https://example.com/x answered 400 : ${text}`);
  });

  it("is cut between two characters", async () => {
    const bytes = Buffer.from(`${" ".repeat(4_095)}üx`);
    expect(await read(bytes, undefined, { status: 400 })).toBe(
      "GET https://example.com/x answered 400 : (an empty body)",
    );
  });
});

describe("the option charset", () => {
  it.each(["", "utf-9", 8, null])("is refused as %j", (charset) => {
    const define = () => httpPages({ url: "https://a", next: singlePage, charset: charset as string });
    expect(define).toThrow(ConfigurationError);
    expect(define).toThrow(/^charset must be the name of a charset, but is .*: use a name such as "iso-8859-1"$/);
  });
});
