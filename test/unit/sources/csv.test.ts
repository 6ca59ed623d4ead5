import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import { type CsvOptions, fileLines, UnreadableItem } from "../../../shared/sources/index.ts";
import { itemsOf, never, pagesOf, restartable } from "./reading.ts";

let directory: string;
let files = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "csv-"));
});
afterAll(() => rm(directory, { recursive: true }));

type Options = Partial<CsvOptions>;

async function file(content: string | Uint8Array): Promise<string> {
  const path = join(directory, `${++files}.csv`);
  await writeFile(path, content);
  return path;
}

/** The items. Also checks that reading from each cursor yields the same remaining items. */
async function read(content: string | Uint8Array, options: Options = {}): Promise<unknown[]> {
  const path = await file(content);
  const pages = await restartable(() => fileLines(path, { format: "csv", pageSize: 1, ...options }));
  return pages.flatMap((page) => page.items);
}

const PEOPLE = [
  { id: "1", name: "Ada" },
  { id: "2", name: "Bob" },
];
const big = (text: string) => Buffer.from(text, "utf16le").swap16();

describe("line ends", () => {
  it.each([
    ["LF", "\n"],
    ["CR LF", "\r\n"],
    ["CR alone", "\r"],
    ["CR CR LF", "\r\r\n"],
  ])("of %s are not part of a name or a value", async (_, end) => {
    const lines = ["id,name", "1,Ada", "2,Bob"];
    expect(await read(lines.join(end) + end)).toEqual(PEOPLE);
    expect(await read(lines.join(end))).toEqual(PEOPLE);
    expect(await read(`${end}${lines.join(end + end)}`)).toEqual(PEOPLE);
  });

  it("are recognised in all four forms, with any quoted text, from any cursor, in any encoding", async () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "é", '"', ",", "\n", "\r", " ", "文"),
      minLength: 1,
      maxLength: 8,
    });
    const quote = (field: string) => `"${field.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 6 }),
        fc.constantFrom("\n", "\r\n", "\r", "\r\r\n"),
        fc.constantFrom("utf-8", "utf-16le", "utf-16be"),
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(0, 65_520, 65_530),
        async (rows, end, encoding, relaxQuotes, trim, padding) => {
          const all = padding === 0 ? rows : [["x".repeat(padding), "y"] as const, ...rows];
          const lines = ["a,b", ...all.map((fields) => fields.map(quote).join(trim ? " , " : ","))].join(end);
          const bytes = {
            "utf-8": Buffer.from(lines),
            "utf-16le": Buffer.from(lines, "utf16le"),
            "utf-16be": big(lines),
          };
          const items = await read(bytes[encoding], { encoding, relaxQuotes, trim, pageSize: 2 });
          expect(items).toEqual(all.map(([a, b]) => ({ a, b })));
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(["utf-8", "utf-16le"] as const)(
    "of CR LF are recognised when byte 65,536 of a %s file divides them",
    async (encoding) => {
      const bytes = (text: string) => Buffer.from(text, encoding === "utf-8" ? "utf8" : "utf16le");
      const width = bytes("x").length;
      const line = "x".repeat(65_536 / width - 1);
      const content = bytes(`${line}\r\n${"y".repeat(10)}\r\n`);
      expect(content.subarray(65_536 - width, 65_536)).toEqual(bytes("\r"));
      expect(await read(content, { encoding, columns: ["a"] })).toEqual([{ a: line }, { a: "y".repeat(10) }]);
    },
  );

  it.each([
    ["a CR in a file of LF", "id,name\n1,Ada\r2,Bob\n3,Cy\n", { id: "3", name: "Cy" }],
    ["a CR in the only column", "id\n1\r2\r3\n4\n", { id: "4" }],
    ["an LF in a file of CR", "id,name\r1,A\nda\r3,Cy\r", { id: "3", name: "Cy" }],
  ])("that differ within a file make the row unreadable: %s", async (_, content, good) => {
    const [bad, next] = await read(content);
    expect(bad).toMatchObject({
      error: expect.stringMatching(/contains a carriage return or a line feed outside quotes/),
    });
    expect(next).toEqual(good);
  });
});

describe("a line that names the delimiter", () => {
  it.each(["sep=;\r\n", "sep=;\n", '"sep=;"\r\n', "SEP=;\r", "\u{feff}sep=;\r\n"])(
    "%j is not the header",
    async (line) => {
      const end = line.endsWith("\r") ? "\r" : "\n";
      expect(await read(`${line}id;name${end}1;Ada${end}2;Bob${end}`)).toEqual(PEOPLE);
      expect(await read(`${line}id;name${end}1;Ada${end}2;Bob${end}`, { delimiter: ";" })).toEqual(PEOPLE);
      expect(await read(`${line}1;Ada${end}2;Bob${end}`, { columns: ["id", "name"] })).toEqual(PEOPLE);
    },
  );

  it("and contradicts the option is an error", async () => {
    const reading = read("sep=;\nid;name\n", { delimiter: "," });
    await expect(reading).rejects.toMatchObject({ code: "SOURCE", permanent: true });
    await expect(reading).rejects.toThrow(
      /line 1 of .* says "sep=;", but delimiter is ",": leave delimiter out, or set it to ";"/,
    );
  });

  it("is needed for another delimiter than a comma: the error names the delimiter", async () => {
    await expect(read("id;name\n1;Ada\n")).rejects.toThrow(/has only one column, "id;name": set delimiter: ";"/);
    expect(await read("id;name\n1;Ada\n", { delimiter: "," })).toEqual([{ "id;name": "1;Ada" }]);
  });
});

describe("the encoding", () => {
  const text = "id,name\n1,Ada\n2,Bob\n";

  it.each([
    ["utf-16le", Buffer.from(text, "utf16le")],
    ["utf-16le", Buffer.from(`\u{feff}${text}`, "utf16le")],
    ["utf-16be", big(text)],
    ["utf-16be", big(`\u{feff}${text}`)],
  ])(
    "%s is an error with or without a byte order mark, and is read if the option names it",
    async (encoding, content) => {
      const reading = read(content);
      await expect(reading).rejects.toMatchObject({ code: "SOURCE", permanent: true });
      await expect(reading).rejects.toThrow(
        new RegExp(`is in UTF-16 \\(.*\\): set encoding: "${encoding}", or convert the file`),
      );
      expect(await read(content, { encoding })).toEqual(PEOPLE);
      await expect(pagesOf(fileLines(await file(content), { format: "jsonl" }))).rejects.toThrow(/is in UTF-16/);
    },
  );

  it("UTF-16 is recognised by few ASCII characters, too", async () => {
    const content = Buffer.from("名前,都市\n北京市民,东京\n上海市民,大阪\n", "utf16le");
    await expect(read(content)).rejects.toThrow(/set encoding: "utf-16le"/);
    expect(await read(content, { encoding: "utf-16le" })).toEqual([
      { 名前: "北京市民", 都市: "东京" },
      { 名前: "上海市民", 都市: "大阪" },
    ]);
  });

  it("of one byte is read if the option names it, and otherwise each row that is not UTF-8 says so", async () => {
    const content = Buffer.from("id,name\n1,Müller\n2,Bob\n", "latin1");
    expect(await read(content, { encoding: "latin1" })).toEqual([{ id: "1", name: "Müller" }, PEOPLE[1]]);
    const [bad, good] = await read(content);
    expect(bad).toMatchObject({
      error: 'not UTF-8: set the option encoding, such as "windows-1252", if the file has another encoding',
    });
    expect(good).toEqual(PEOPLE[1]);
  });

  it("of several bytes is read if the option names it, and invalid bytes make the row unreadable", async () => {
    const content = Buffer.concat([
      Buffer.from("id,name\n1,"),
      Buffer.from([0x93, 0x8c, 0x8b, 0x9e]),
      Buffer.from("\n2,"),
      Buffer.from([0x81, 0x0a]),
    ]);
    const [good, bad] = await read(content, { encoding: "shift_jis" });
    expect(good).toEqual({ id: "1", name: "東京" });
    expect(bad).toMatchObject({ error: expect.stringMatching(/^not shift_jis/) });
  });

  it("that the file contradicts is an error", async () => {
    await expect(read(`\u{feff}${text}`, { encoding: "windows-1252" })).rejects.toThrow(
      /byte order mark of UTF-8, but encoding is "windows-1252"/,
    );
    await expect(read(text, { encoding: "utf-16le" })).rejects.toThrow(/looks like UTF-8 and not like UTF-16/);
    await expect(read(big(text), { encoding: "utf-16le" })).rejects.toThrow(/set encoding: "utf-16be"/);
    await expect(read(Buffer.from("fffe000069000000", "hex"))).rejects.toThrow(/UTF-32/);
  });

  it("also applies to JSON Lines, without empty lines", async () => {
    const content = Buffer.from('{"a":"é"}\r\n \r\n{"a":1}\r\n', "utf16le");
    const source = fileLines(await file(content), { format: "jsonl", encoding: "utf-16le" });
    expect(await itemsOf(source)).toEqual([{ a: "é" }, { a: 1 }]);
    expect(await itemsOf(fileLines(await file('{"a":1}\r{"a":2}\r'), { format: "jsonl" }))).toEqual([
      { a: 1 },
      { a: 2 },
    ]);
  });
});

describe("the header", () => {
  const content = 'id, E-Mail ,"x"\n1, ada@a ,  "a b" \n';

  it("with blanks around a name is an error that says what to set", async () => {
    const reading = read("id, E-Mail \n1,a\n");
    await expect(reading).rejects.toMatchObject({ code: "SOURCE", permanent: true });
    await expect(reading).rejects.toThrow(
      /line 1, has blanks around the column " E-Mail ": set trim: true .*or trim: false/,
    );
    expect(await read("id, E-Mail \n1, a \n", { trim: false })).toEqual([{ id: "1", " E-Mail ": " a " }]);
  });

  it("is trimmed like values, except for blanks inside quotes", async () => {
    expect(await read(content, { trim: true })).toEqual([{ id: "1", "E-Mail": "ada@a", x: "a b" }]);
    expect(await read('"\u{a0}id ",x\n" 1 ",2\n', { trim: true })).toEqual([{ id: " 1 ", x: "2" }]);
  });

  it("gets new names from an object or a function", async () => {
    expect(await read(content, { trim: true, header: { "E-Mail": "email" } })).toEqual([
      { id: "1", email: "ada@a", x: "a b" },
    ]);
    const header = (name: string, index: number) => `${index}${name.toLowerCase()}`;
    expect(await read("Id,Name\n1,Ada\n", { header })).toEqual([{ "0id": "1", "1name": "Ada" }]);
  });

  it.each<[Options, RegExp]>([
    [{ header: { "E-mail": "email" } }, /has no column "E-mail", .* its columns are "id", "name"/],
    [{ header: { id: "name" } }, /has the column "name" twice/],
    [{ header: () => undefined as never }, /returned undefined for the column "id"/],
  ])("that does not fit the option %j is an error", async (options, message) => {
    await expect(read("id,name\n1,Ada\n", options)).rejects.toThrow(SourceError);
    await expect(read("id,name\n1,Ada\n", options)).rejects.toThrow(message);
  });
});

describe("quotes inside unquoted fields", () => {
  const inch = 'sku,length,width\nA-100,7,4.2\nWT-26"-K,16,14\nB-1,1,1\n"C" St,5,6\nD-9,9,9\n';

  it("are part of the text with relaxQuotes, and no row is lost", async () => {
    expect(await read(inch, { relaxQuotes: true })).toEqual([
      { sku: "A-100", length: "7", width: "4.2" },
      { sku: 'WT-26"-K', length: "16", width: "14" },
      { sku: "B-1", length: "1", width: "1" },
      { sku: '"C" St', length: "5", width: "6" },
      { sku: "D-9", length: "9", width: "9" },
    ]);
  });

  it("make their rows unreadable without it, and the message names the option", async () => {
    const items = await read(inch);
    expect(items.filter((item) => item instanceof UnreadableItem)).toEqual([
      expect.objectContaining({ raw: 'WT-26"-K,16,14', error: expect.stringContaining("set relaxQuotes: true") }),
      expect.objectContaining({ raw: '"C" St,5,6', error: expect.stringContaining("set relaxQuotes: true") }),
    ]);
    expect(items).toHaveLength(5);
  });

  it("do not change quoted fields with line ends and doubled quotes", async () => {
    expect(await read('a,b\n"1\n""x"",",5" x\n"""",6\r\n', { relaxQuotes: true })).toEqual([
      { a: '1\n"x",', b: '5" x' },
      { a: '"', b: "6" },
    ]);
  });
});

describe("a file that yields no item", () => {
  const warningsOf = async (content: string, options: Options = {}) => {
    const warnings: string[] = [];
    const path = await file(content);
    const pages = await pagesOf(fileLines(path, { format: "csv", ...options }), undefined, never, warnings);
    expect(pages).toEqual([{ items: [] }]);
    return warnings.map((warning) => warning.replace(path, "it"));
  };

  it("causes a warning, unless the file is empty", async () => {
    expect(await warningsOf("id,name\r\n")).toEqual(["it has a header (id, name) and no rows"]);
    expect(await warningsOf("id,name\r")).toEqual(["it has a header (id, name) and no rows"]);
    expect(await warningsOf("\n\n")).toEqual(["it has only empty lines"]);
    expect(await warningsOf("\n", { columns: ["a"] })).toEqual(["it has only empty lines"]);
    expect(await warningsOf("")).toEqual([]);
  });

  it("causes a warning for JSON Lines, too, but not if it has an unreadable line", async () => {
    const warnings: string[] = [];
    await pagesOf(fileLines(await file("\n \n"), { format: "jsonl" }), undefined, never, warnings);
    expect(warnings).toEqual([expect.stringMatching(/has only empty lines$/)]);
    await pagesOf(fileLines(await file("{"), { format: "jsonl" }), undefined, never, warnings);
    expect(warnings).toHaveLength(1);
  });
});

it.each<[string, number | undefined]>([
  ['[{"id":1},{"id":2},{"id":3}]', 3],
  ['[{"id":1},{"id":2}]\n\n', 2],
  ['[{"id":1},{"id":2}]\n[{"id":3},{"id":4}]', undefined],
  ["[[1,2],[3,4]]", undefined],
  ["[1,2]", undefined],
  ['[{"id":1}]', undefined],
])("a JSON document that is one list, and not JSON Lines, causes a warning: %s", async (content, length) => {
  const warnings: string[] = [];
  await pagesOf(fileLines(await file(content), { format: "jsonl" }), undefined, never, warnings);
  const warning = expect.stringMatching(
    new RegExp(` has one line, a list of ${length}, which counts as one item: JSON Lines`),
  );
  expect(warnings).toEqual(length === undefined ? [] : [warning]);
});

it.each<[object, RegExp]>([
  [{ encoding: "utf-9" }, /encoding must be an encoding of the Encoding Standard.* but is "utf-9"/],
  [{ encoding: "iso-2022-jp" }, /encoding/],
  [{ encoding: null }, /encoding/],
  [{ trim: "yes" }, /trim must be true or false/],
  [{ relaxQuotes: 1 }, /relaxQuotes must be true or false/],
  [{ header: ["a"] }, /header must be an object of names or a function, but is \["a"\]/],
  [{ header: { a: 1 } }, /header must be/],
  [{ header: { a: "b" }, columns: ["a"] }, /header and columns cannot be used together/],
  [{ quote: "," }, /delimiter and quote must differ/],
])("the options %j are refused", (options, message) => {
  expect(() => fileLines("x", { format: "csv", ...options } as CsvOptions)).toThrow(ConfigurationError);
  expect(() => fileLines("x", { format: "csv", ...options } as CsvOptions)).toThrow(message);
});
