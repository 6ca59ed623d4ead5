import { execFileSync } from "node:child_process";
import { appendFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import { type FileLinesOptions, fileLines, UnreadableItem } from "../../../shared/sources/index.ts";
import { seeds } from "../../helpers/seeds.ts";
import { itemsOf, pagesOf, readContext, restartable } from "./reading.ts";

const CHUNK_BYTES = 65_536;
let directory: string;
let files = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "file-lines-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function file(content: string | Uint8Array): Promise<string> {
  files += 1;
  const path = join(directory, `${files}.txt`);
  await writeFile(path, content);
  return path;
}

const JSONL = { format: "jsonl" } as const;
const CSV = { format: "csv" } as const;
const read = async (content: string | Uint8Array, options: FileLinesOptions = JSONL) =>
  itemsOf(fileLines(await file(content), options as typeof JSONL));

const lineEnding = fc.constantFrom("\n", "\r\n");
const bom = fc.constantFrom("", "\u{feff}");
const pageSizes = fc.integer({ min: 1, max: 5 });
// So that the boundary between two chunks falls anywhere in what follows.
const paddings = fc.oneof(fc.constant(0), fc.integer({ min: CHUNK_BYTES - 60, max: CHUNK_BYTES }));
const awkward = fc.string({
  unit: fc.constantFrom("a", "é", "€", "🏙", '"', ",", "\n", "\r\n", " ", "\\"),
  maxLength: 12,
});

/** Values that JavaScript reads unaltered. For the others see unsafe-numbers.test.ts. */
const safeJson = fc
  .jsonValue({ maxDepth: 1 })
  .map((value) =>
    JSON.parse(
      JSON.stringify(value, (_, inner) => (typeof inner === "number" && Math.abs(inner) > 2 ** 53 - 1 ? 0.5 : inner)),
    ),
  );

describe("fileLines, JSON Lines", () => {
  it("yields the value of each line, and the same remaining items from each cursor, for any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(awkward, safeJson), { maxLength: 12 }),
        fc.record({ bom, lineEnding, pageSize: pageSizes, padding: paddings, last: fc.boolean(), blank: fc.boolean() }),
        async (values, { bom, lineEnding, pageSize, padding, last, blank }) => {
          const all = padding === 0 ? values : ["x".repeat(padding), ...values];
          const separator = blank ? `${lineEnding} ${lineEnding}` : lineEnding;
          const lines = all.map((value) => JSON.stringify(value));
          const path = await file(bom + lines.join(separator) + (last ? lineEnding : ""));
          const pages = await restartable(() => fileLines(path, { format: "jsonl", pageSize }));
          expect(pages.flatMap((page) => page.items)).toEqual(lines.map((line) => JSON.parse(line)));
        },
      ),
      { numRuns: seeds(80) },
    );
  });

  it("makes a broken line an unreadable item, with its place and the reason, and continues", async () => {
    const path = await file(`{"a":1}\n\n{"é":\r\n[2]\n`);
    const [first, broken, last, ...none] = await itemsOf(fileLines(path, JSONL));
    expect([first, last, none]).toEqual([{ a: 1 }, [2], []]);
    expect(broken).toBeInstanceOf(UnreadableItem);
    expect(broken).toEqual({ raw: '{"é":', error: expect.stringContaining("JSON"), at: `${path}:3 (byte 9)` });
  });

  it("makes a line that is not UTF-8 an unreadable item", async () => {
    const [bad, good] = await read(Buffer.concat([Buffer.from([0x22, 0xff, 0x22, 0x0a]), Buffer.from('"é"')]));
    expect([bad, good]).toEqual([
      expect.objectContaining({ error: expect.stringMatching(/^not UTF-8: set the option encoding/) }),
      "é",
    ]);
  });

  it("does not skip a line of NUL bytes, which a crash of the writing machine can leave", async () => {
    const unreadable = expect.objectContaining({ raw: "\0\0", error: expect.stringContaining("JSON") });
    expect(await read("1\n\0\0\n2\n\0\0")).toEqual([1, unreadable, 2, unreadable]);
    // In UTF-16, each blank has a byte of 0.
    for (const encoding of ["utf-16le", "utf-16be"]) {
      const bytes = Buffer.from("1\n \t\r\n2\n", "utf16le");
      expect(await read(encoding === "utf-16le" ? bytes : bytes.swap16(), { ...JSONL, encoding })).toEqual([1, 2]);
    }
  });

  it("makes half a character at the end of a UTF-16 file an unreadable item", async () => {
    const content = Buffer.concat([Buffer.from("id,name\r\n1,é\r\n", "utf16le"), Buffer.from("2")]);
    const unreadable = expect.objectContaining({
      raw: "2",
      error: expect.stringMatching(/^not utf-16le: set the option encoding/),
    });
    expect(await read(content, { ...CSV, encoding: "utf-16le" })).toEqual([{ id: "1", name: "é" }, unreadable]);
  });

  it("accepts a line of maxItemBytes, and makes a longer line an unreadable item, cut to 1 KiB of whole characters", async () => {
    const fits = JSON.stringify("x".repeat(1_998));
    const options = { ...JSONL, maxItemBytes: 2_000 };
    expect(await read(`${fits}\n1`, options)).toEqual([JSON.parse(fits), 1]);
    const [long, next] = await read(`a${"🏙".repeat(500)}\n1`, options);
    expect(next).toBe(1);
    expect(long).toMatchObject({ raw: `a${"🏙".repeat(255)}`, error: "longer than 2000 bytes (maxItemBytes)" });
    expect(await read(`${fits}x`, options)).toEqual([expect.any(UnreadableItem)]);
  });

  it("skips a line far beyond the limit, and continues at the next", async () => {
    const path = await file(`1\n"${"x".repeat(3 * 1_024 * 1_024)}"\n3\n`);
    const pages = await restartable(() => fileLines(path, { format: "jsonl", pageSize: 1 }));
    expect(pages.flatMap((page) => page.items)).toEqual([1, expect.any(UnreadableItem), 3]);
    expect(pages[1]?.items[0]).toMatchObject({
      error: "longer than 2097152 bytes (maxItemBytes)",
      at: `${path}:2 (byte 2)`,
    });
    expect(pages[1]?.next).toMatchObject({ line: 3, byte: 2 + 3 * 1_024 * 1_024 + 3 });
  });

  it("ends a page at 4 MiB", async () => {
    const line = JSON.stringify("x".repeat(1_024 * 1_024));
    const pages = await pagesOf(fileLines(await file(`${line}\n`.repeat(6)), JSONL));
    expect(pages.map((page) => page.items.length)).toEqual([4, 2]);
  });

  it.each(["", "\n", "\r\n \n", "\u{feff}", "\u{feff}\n"])("reads %j as one empty page", async (content) => {
    expect(await pagesOf(fileLines(await file(content), JSONL))).toEqual([{ items: [] }]);
  });
});

describe("fileLines, CSV", () => {
  const quote = (field: string) => `"${field.replaceAll('"', '""')}"`;

  it("yields each row by its columns, with newlines and quotes, and the same remaining items from each cursor", async () => {
    const row = fc.tuple(awkward, awkward);
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 8 }),
        fc.record({
          bom,
          lineEnding,
          pageSize: pageSizes,
          padding: paddings,
          last: fc.boolean(),
          header: fc.boolean(),
        }),
        async (rows, { bom, lineEnding, pageSize, padding, last, header }) => {
          const all = padding === 0 ? rows : [["x".repeat(padding), ""], ...rows];
          const lines = all.map((fields) => fields.map(quote).join(","));
          if (header) lines.unshift('"Größe, ""m""",b');
          const path = await file(bom + lines.join(lineEnding) + (last ? lineEnding : ""));
          const columns = header ? {} : { columns: ['Größe, "m"', "b"] };
          const pages = await restartable(() => fileLines(path, { ...CSV, ...columns, pageSize }));
          expect(pages.flatMap((page) => page.items)).toEqual(all.map(([a, b]) => ({ 'Größe, "m"': a, b })));
        },
      ),
      { numRuns: seeds(80) },
    );
  });

  it("yields the same remaining items from each cursor for any text, and skips no line silently", async () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "é", "🏙", '"', '"', ",", "\n", "\n", "\r\n", " "),
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(text, pageSizes, async (content, pageSize) => {
        const path = await file(content);
        const source = () => fileLines(path, { ...CSV, columns: ["a", "b"], pageSize });
        const all = (await restartable(source)).flatMap((page) => page.items);
        const text = all.map((item) => (item instanceof UnreadableItem ? item.raw : `${item.a}${item.b}`)).join("");
        const deadLetters = (of: string) => of.replaceAll(/[^aé🏙]/gu, "");
        expect(deadLetters(text)).toBe(deadLetters(content));
      }),
      { numRuns: seeds(300) },
    );
  });

  it.each([
    ["a field too many", "1,2,3", /columns length is 2, got 3$/],
    ["a field too few", "1", /columns length is 2, got 1$/],
    ["a quote inside a field", '1" inch,2', /Invalid Opening Quote/],
    ["text behind a quote", '"1"x,2', /Invalid Closing Quote/],
    [
      "a quote that is never closed",
      '"1,2',
      /Invalid Closing Quote.* \(a quote is opened in this line and not closed\)$/,
    ],
  ])("makes a row with %s an unreadable item, and continues at the next line", async (_, line, error) => {
    const path = await file(`a,b\r\n1,2\r\n${line}\r\n3,4\r\n5,"6\r\n7"`);
    const pages = await restartable(() => fileLines(path, { ...CSV, pageSize: 1 }));
    const [before, broken, ...after] = pages.flatMap((page) => page.items);
    expect(before).toEqual({ a: "1", b: "2" });
    expect(broken).toMatchObject({ raw: line, error: expect.stringMatching(error), at: `${path}:3 (byte 10)` });
    expect(broken).toBeInstanceOf(UnreadableItem);
    expect(after).toEqual([
      { a: "3", b: "4" },
      { a: "5", b: "6\r\n7" },
    ]);
  });

  it("loses only one line if a quote is not closed before maxItemBytes", async () => {
    const rows = Array.from({ length: 50 }, (_, index) => `${index},x`);
    const items = await read(`a,b\n"stray,1\n${rows.join("\n")}\n`, { ...CSV, maxItemBytes: 100 });
    expect(items[0]).toMatchObject({
      raw: '"stray,1',
      error: "longer than 100 bytes (maxItemBytes), or a quote in it is not closed",
    });
    expect(items.slice(1)).toEqual(rows.map((_, index) => ({ a: String(index), b: "x" })));
  });

  it("accepts another delimiter, another quote, and no quote", async () => {
    expect(await read("a;b\n'1;''';2", { ...CSV, delimiter: ";", quote: "'" })).toEqual([{ a: "1;'", b: "2" }]);
    expect(await read('a\tb\n5" pipe\t"x', { ...CSV, delimiter: "\t", quote: false })).toEqual([
      { a: '5" pipe', b: '"x' },
    ]);
  });

  it("skips empty lines, also before the header, and reads a file without rows as one empty page", async () => {
    expect(await read("\n\na,b\n\n1,2\r\n\r\n", CSV)).toEqual([{ a: "1", b: "2" }]);
    for (const content of ["", "a,b", "a,b\n"]) {
      expect(await pagesOf(fileLines(await file(content), CSV))).toEqual([{ items: [] }]);
    }
  });

  it("does not confuse a column with a property of all objects", async () => {
    const [row] = await read("__proto__,b\n1,2", CSV);
    expect(JSON.stringify(row)).toBe('{"__proto__":"1","b":"2"}');
  });

  it.each([
    ["a,b,a\n1,2,3", /header of .*, line 1, has the column "a" twice: rename one/],
    ['a,"b"x\n1,2', /header of .*, line 1, cannot be read: Invalid Closing Quote/],
    ['"a,b\n1,2', /header of .*, line 1, cannot be read: Quote Not Closed/],
  ])("refuses the header %j", async (content, error) => {
    await expect(read(content, CSV)).rejects.toThrow(error);
    await expect(read(content, CSV)).rejects.toThrow(SourceError);
  });
});

describe("fileLines, the file", () => {
  it("accepts a relative path, a file URL and a function, which is called when reading starts", async () => {
    const path = await file("1");
    const forms = [relative(process.cwd(), path), pathToFileURL(path), () => path, () => pathToFileURL(path)];
    for (const form of forms) expect(await itemsOf(fileLines(form, JSONL))).toEqual([1]);
    const undefinedYet = fileLines(() => process.env.SLUICE_NO_SUCH_VARIABLE as string, JSONL);
    await expect(pagesOf(undefinedYet)).rejects.toThrow(/must be a path or a file: URL, but is undefined/);
  });

  it("is reported if it is missing, a directory, in UTF-16 or compressed", async () => {
    const missing = pagesOf(fileLines("no/such.jsonl", JSONL));
    await expect(missing).rejects.toThrow(SourceError);
    await expect(missing).rejects.toThrow(/cannot open no\/such\.jsonl \(\/.*ENOENT/);
    await expect(pagesOf(fileLines(directory, JSONL))).rejects.toThrow(/is not a regular file/);
    await expect(read(Buffer.from("\u{feff}1", "utf16le"))).rejects.toThrow(
      /is in UTF-16 \(it begins with its byte order mark\): set encoding: "utf-16le", or convert the file/,
    );
    await expect(read(new Uint8Array([0x1f, 0x8b, 8, 0]))).rejects.toThrow(/is compressed: decompress it/);
  });

  it("must not be a pipe, which has no bytes to return to", { skip: process.platform === "win32" }, async () => {
    const pipe = join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    await expect(pagesOf(fileLines(pipe, CSV))).rejects.toThrow(
      `${pipe} is not a regular file: write the path of a file`,
    );
  });

  it.each<[string, string, RegExp]>([
    ["zstd", "28b52ffd24", /is compressed: decompress it, for example with unzstd/],
    ["xz", "fd377a585a000004", /is compressed: decompress it, for example with unxz/],
    ["bzip2", Buffer.from("BZh91AY&SY\n").toString("hex"), /is compressed: decompress it, for example with bunzip2/],
    ["ZIP", Buffer.from("PK\u0003\u0004\n,a\n").toString("hex"), /is a ZIP archive, or a workbook such as \.xlsx/],
    ["an old workbook", "d0cf11e0a1b11ae10000", /is an Excel workbook \(\.xls\): save it as CSV/],
    ["Parquet", Buffer.from("PAR1\nPAR1").toString("hex"), /is a Parquet file, which Sluice cannot read/],
  ])("is reported if it is %s", async (_, hex, message) => {
    for (const format of [JSONL, CSV]) await expect(read(Buffer.from(hex, "hex"), format)).rejects.toThrow(message);
  });

  it("does not match an older cursor if its size, its start, or the bytes before the cursor changed", async () => {
    const content = `"${"a".repeat(10_000)}"\n"${"b".repeat(10_000)}"\n3\n`;
    const source = (path: string) => fileLines(path, { ...JSONL, pageSize: 2 });
    const [page] = await pagesOf(source(await file(content)));
    expect(page?.next).toEqual({ byte: 20_006, line: 3, size: 20_008, digest: expect.stringMatching(/^[\w-]{22}$/) });
    // A later copy of the file counts as the same file.
    expect(await itemsOf(source(await file(content)), page?.next)).toEqual([3]);
    const changes = [`${content}4`, content.replace("a", "x"), content.replace('b"', 'x"')];
    for (const changed of changes) {
      const reading = pagesOf(source(await file(changed)), page?.next);
      await expect(reading).rejects.toThrow(/changed while a run was reading it .*: restore the file/);
      await expect(reading).rejects.toThrow(SourceError);
    }
  });

  it.each([
    ["grows", (path: string) => appendFile(path, "9\n")],
    ["shrinks", (path: string) => truncate(path, 70_000)],
  ])("is reported if it %s while it is read", async (_, change) => {
    const path = await file("1\n".repeat(2 * CHUNK_BYTES));
    const reading = async () => {
      for await (const { next } of fileLines(path, JSONL).pages(undefined, readContext())) {
        if ((next as { line: number } | undefined)?.line === 201) await change(path);
      }
    };
    await expect(reading()).rejects.toThrow(/it had \d+ bytes and/);
  });

  it.each([[null], [7], [{ byte: 0 }], [{ byte: 0, line: 1, size: 1, digest: "", more: 1 }]])(
    "refuses the cursor %j",
    async (cursor) => {
      const path = await file("1");
      await expect(pagesOf(fileLines(path, JSONL), cursor)).rejects.toThrow(/does not come from fileLines/);
    },
  );

  it("stops at the signal", async () => {
    const path = await file("1\n2\n3");
    const abort = new AbortController();
    const reading = async () => {
      for await (const _ of fileLines(path, { ...JSONL, pageSize: 1 }).pages(undefined, readContext(abort.signal))) {
        abort.abort(new Error("the slice is over"));
      }
    };
    await expect(reading()).rejects.toThrow("the slice is over");
  });

  it.each<[object, RegExp]>([
    [{ format: "xml" }, /format must be "jsonl" or "csv", but is "xml"/],
    [{}, /format must be/],
    [{ format: "jsonl", delimiter: ";" }, /unknown option "delimiter"/],
    [{ format: "csv", delimeter: ";" }, /unknown option "delimeter"/],
    [{ format: "jsonl", pageSize: 0 }, /pageSize must be a whole number from 1 to 200, but is 0/],
    [{ format: "jsonl", pageSize: 201 }, /pageSize/],
    [{ format: "jsonl", maxItemBytes: 0 }, /maxItemBytes must be a whole number from 1 to 16777216/],
    [{ format: "jsonl", maxItemBytes: 16_777_217 }, /maxItemBytes/],
    [{ format: "csv", delimiter: "" }, /delimiter must be one ASCII character, but is ""/],
    [{ format: "csv", delimiter: ";;" }, /delimiter/],
    [{ format: "csv", delimiter: "\n" }, /delimiter/],
    [{ format: "csv", delimiter: "é" }, /delimiter/],
    [{ format: "csv", quote: "" }, /quote must be one ASCII character/],
    [{ format: "csv", delimiter: "'", quote: "'" }, /delimiter and quote must differ/],
    [{ format: "csv", columns: [] }, /columns must be a list of distinct names/],
    [{ format: "csv", columns: ["a", "a"] }, /columns must be a list of distinct names/],
    [{ format: "csv", columns: "a,b" }, /columns must be a list of distinct names/],
  ])("refuses the options %j", (options, error) => {
    expect(() => fileLines("x", options as typeof JSONL)).toThrow(error);
    expect(() => fileLines("x", options as typeof JSONL)).toThrow(ConfigurationError);
  });

  it("accepts the limits of its options", () => {
    for (const maxItemBytes of [1, 16_777_216]) fileLines("x", { ...JSONL, maxItemBytes });
    expect(() => fileLines("", JSONL)).toThrow(ConfigurationError);
    expect(() => fileLines(new URL("https://example.com/x"), JSONL)).toThrow(/must be a path or a file: URL/);
  });
});
