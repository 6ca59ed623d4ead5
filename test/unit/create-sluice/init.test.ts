import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type InitOptions, init, nextCommands } from "../../../create-sluice/init.ts";
import { nameOf } from "../../../create-sluice/own-csv.ts";
import { SOURCE_KINDS } from "../../../create-sluice/sources/sources.ts";
import { fileLines } from "../../../shared/sources/index.ts";
import { itemsOf } from "../sources/reading.ts";

let folder: string;
let asked: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-init-"));
  asked = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (options: Partial<InitOptions> = {}) =>
  init({
    folder,
    source: "csv",
    library: "^0.1.0",
    node: "24.0.0",
    mayOverwrite: async (path) => {
      asked.push(path);
      return false;
    },
    ...options,
  });
const read = (file: string) => readFileSync(join(folder, file), "utf8");
const put = (file: string, content: string) => writeFileSync(join(folder, file), content);
const manifest = () => JSON.parse(read("package.json"));

test.each(SOURCE_KINDS.map(({ id }) => id))("%s: an empty folder becomes a project of ES modules", async (source) => {
  const { name, written, kept } = await write({ source });
  expect(kept).toEqual([]);
  expect(written).toEqual(
    expect.arrayContaining([
      ".gitignore",
      "app.ts",
      "cdk.json",
      "package.json",
      `test/${name}.test.ts`,
      "tsconfig.json",
      `workflows/${name}.ts`,
    ]),
  );
  expect(manifest()).toMatchObject({
    type: "module",
    scripts: { start: `sluice run ${name}`, test: "node --test", deploy: `cdk deploy ${name}` },
    dependencies: { sluice: "^0.1.0" },
  });
  expect(manifest().devDependencies).not.toHaveProperty("node");
  expect(JSON.parse(read("cdk.json"))).toEqual({ app: "node app.ts" });
});

test("api: the sample API leaves the address of the user's own API alone", async () => {
  await write({ source: "api" });
  vi.stubEnv("API_URL", "https://api.acme.test");
  const { default: start } = await import(join(folder, "workflows/orders.local.ts"));
  const { environment, close } = await start();
  await close();
  vi.unstubAllEnvs();
  expect(environment).toEqual({});
});

describe("an existing project", () => {
  test("keeps its scripts, its versions and its other fields", async () => {
    put(
      "package.json",
      JSON.stringify({ name: "own", type: "module", scripts: { start: "own" }, dependencies: { zod: "^3.25.0" } }),
    );
    const report = await write();
    expect(manifest()).toMatchObject({
      name: "own",
      scripts: { start: "own", "sluice:start": "sluice run customers", test: "node --test" },
      dependencies: { zod: "^3.25.0" },
    });
    expect(nextCommands(report, true).at(-1)).toBe("npm run sluice:start");
  });

  test("of CommonJS modules gets .mts files, and a folder of ES modules for its workflows", async () => {
    put("package.json", JSON.stringify({ name: "own", type: "commonjs", scripts: {} }));
    const { written } = await write();
    expect(manifest().type).toBe("commonjs");
    expect(written).toEqual(expect.arrayContaining(["app.mts", "test/customers.test.mts", "workflows/package.json"]));
    expect(JSON.parse(read("cdk.json"))).toEqual({ app: "node app.mts" });
  });

  test("the test script that npm init writes is replaced", async () => {
    put(
      "package.json",
      JSON.stringify({ type: "module", scripts: { test: 'echo "Error: no test specified" && exit 1' } }),
    );
    await write();
    expect(manifest().scripts.test).toBe("node --test");
  });

  test("no file is overwritten without an answer", async () => {
    put("tsconfig.json", "own");
    put("cdk.json", "own");
    const report = await write({ mayOverwrite: async (path) => asked.push(path) > 0 && path === "cdk.json" });
    expect(asked.toSorted()).toEqual(["cdk.json", "tsconfig.json"]);
    expect(report.kept).toEqual(["tsconfig.json"]);
    expect(read("tsconfig.json")).toBe("own");
    expect(JSON.parse(read("cdk.json"))).toEqual({ app: "node app.ts" });
  });

  test("a second time, nothing is asked and nothing changes", async () => {
    await write();
    const before = [read("package.json"), read(".gitignore")];
    await write();
    expect(asked).toEqual([]);
    expect([read("package.json"), read(".gitignore")]).toEqual(before);
  });

  test("only missing lines are added to .gitignore", async () => {
    put(".gitignore", "/node_modules\n*.log");
    await write();
    expect(read(".gitignore")).toBe("/node_modules\n*.log\n.sluice/\ncdk.out/\n.env\n");
  });

  test("a package.json that is not JSON is refused, and nothing is written", async () => {
    put("package.json", "{");
    await expect(write()).rejects.toThrow(/is not a package.json.*Correct it/);
    expect(existsSync(join(folder, "workflows"))).toBe(false);
  });
});

describe("the package manager", () => {
  test.each([
    ["pnpm/12.0.0 npm/? node/v24.0.0", "pnpm", "pnpm-workspace.yaml"],
    ["yarn/4.0.0 npm/? node/v24.0.0", "yarn", ".yarnrc.yml"],
  ])("is the one that started the command: %s", async (userAgent, packageManager, settings) => {
    const report = await write({ userAgent });
    expect(report).toMatchObject({ packageManager });
    expect(report.written).toContain(settings);
    expect(nextCommands(report, false)).toEqual(
      expect.arrayContaining([`${packageManager} install`, `${packageManager} start`]),
    );
  });

  test("is that of the lockfile of the workspace, whose settings are at its root", async () => {
    put("pnpm-lock.yaml", "");
    put("pnpm-workspace.yaml", "packages: [jobs]\n");
    mkdirSync(join(folder, "jobs"));
    const report = await write({ folder: join(folder, "jobs"), userAgent: "npm/11.0.0 node/v24.0.0" });
    expect(report).toMatchObject({ packageManager: "pnpm", workspaceRoot: folder });
    expect(report.written).not.toContain("pnpm-workspace.yaml");
  });

  test("an older Node gets Node 24 as a package", async () => {
    await write({ node: "22.11.0" });
    expect(manifest().devDependencies.node).toMatch(/^\^24/);
  });
});

describe("an own CSV file", () => {
  /** What the source that was written for the file reads. */
  const rowsOf = (options: string) =>
    itemsOf(fileLines(join(folder, "data/own.csv"), new Function(`return ${options}`)()));

  test("is copied byte for byte, and its header becomes the schema", async () => {
    const own = join(folder, "My Customers 2026.csv");
    writeFileSync(own, '\uFEFF"Order; No";qty\r\n1;2\r\n');
    const { name } = await write({ file: own });
    expect(name).toBe("my-customers-2026");
    expect(readFileSync(join(folder, `data/${name}.csv`))).toEqual(readFileSync(own));
    const workflow = read(`workflows/${name}.ts`);
    expect(workflow).toContain('delimiter: ";"');
    expect(workflow).toContain('"Order; No": z.string()');
    expect(workflow).toContain('"qty": z.string()');
  });

  describe.each([
    ["a line of Excel that names the delimiter", 'sep=;\r\nname;city\r\nAda;"a;b"\r\n', '{ format: "csv" }'],
    ["tabs", "name\tcity\nAda\tParis\n", '{ format: "csv", delimiter: "\\t" }'],
    ["line ends of CR alone", "name,city\rAda,Paris\r", '{ format: "csv" }'],
    ["blanks around its names", "name , city\nAda,Paris\n", '{ format: "csv", trim: true }'],
    ["an empty line before its header", "\n\nname,city\nAda,Paris\n", '{ format: "csv" }'],
  ])("with %s", (_, content, options) => {
    test("is read with the options that it needs", async () => {
      put("own.csv", content);
      const { notes } = await write({ file: join(folder, "own.csv") });
      expect(notes).toEqual([]);
      expect(read("workflows/own.ts")).toContain(`source: fileLines("data/own.csv", ${options}),`);
      expect(read("workflows/own.ts")).toContain('"name": z.string(),\n    "city": z.string(),\n');
      expect(read("test/own.test.ts")).toContain('"name": "Ada",\n');
      expect(await rowsOf(options)).toEqual([{ name: "Ada", city: expect.any(String) }]);
    });
  });

  test.each([
    ["windows-1252", Buffer.from("name,city\nJörg,Köln\n", "latin1"), 1],
    ["utf-16le", Buffer.from("name,city\nJörg,Köln\n", "utf16le"), 0],
    ["utf-16le", Buffer.from("\uFEFFname,city\nJörg,Köln\n", "utf16le"), 0],
    ["utf-16be", Buffer.from("\uFEFFname,city\nJörg,Köln\n", "utf16le").swap16(), 0],
  ])("in %s is read in this encoding", async (encoding, content, noteCount) => {
    writeFileSync(join(folder, "own.csv"), content);
    const { notes } = await write({ file: join(folder, "own.csv") });
    expect(notes).toHaveLength(noteCount);
    expect(notes.join()).toMatch(noteCount === 0 ? /^$/ : /^own\.csv is not UTF-8\. .* as windows-1252\./);
    const options = `{ format: "csv", encoding: "${encoding}" }`;
    expect(read("workflows/own.ts")).toContain(options);
    expect(read("test/own.test.ts")).toContain('"city": "Köln",\n');
    expect(await rowsOf(options)).toEqual([{ name: "Jörg", city: "Köln" }]);
  });

  test("in UTF-8 with some bytes that are not stays UTF-8, and the first of their lines is told", async () => {
    const bad = Buffer.from("3,Jörg,Ulm\n", "latin1");
    writeFileSync(
      join(folder, "own.csv"),
      Buffer.concat([Buffer.from("id,name,city\n1,Jörg,Köln\n2,Ada,Paris\n"), bad]),
    );
    const { notes } = await write({ file: join(folder, "own.csv") });
    expect(notes).toEqual([
      expect.stringMatching(/^own\.csv is UTF-8, except for some bytes: the first are in line 4\./),
    ]);
    expect(read("workflows/own.ts")).toContain('{ format: "csv" }');
    expect(read("test/own.test.ts")).toContain('"name": "Jörg",\n');
  });

  test("is decoded in small parts, so it may be longer than a string", async () => {
    using decode = vi.spyOn(TextDecoder.prototype, "decode");
    // The header has 17 bytes, and each line has 16, so the first part ends between CR and LF.
    const text = `id,name,cityname\n${"12,Jörg,Köln\r\n".repeat(200_000)}`;
    const content = Buffer.concat([Buffer.from(text), Buffer.from("Jörg", "latin1")]);
    expect([...content.subarray(1_048_575, 1_048_577)]).toEqual([13, 10]);
    writeFileSync(join(folder, "own.csv"), content);
    const { notes } = await write({ file: join(folder, "own.csv") });
    expect(notes[0]).toMatch(/^own\.csv is UTF-8, except for some bytes: the first are in line 200002\./);
    const sizes = decode.mock.calls.map(([part]) => part?.byteLength ?? 0);
    expect(Math.max(...sizes)).toBe(1_048_576);
  });

  test.each([
    [",name\n1,Ada\n", 'own.csv has no name for column 1. In the workflow its name is ""', { "": "1", name: "Ada" }],
    ["name;\nAda;\n", 'own.csv has no name for column 2. In the workflow its name is ""', { name: "Ada", "": "" }],
  ])("with a column that has no name is read, and the column is told: %j", async (content, note, row) => {
    put("own.csv", content);
    const { notes } = await write({ file: join(folder, "own.csv") });
    expect(notes).toEqual([note]);
    const [, options = ""] = /fileLines\("data\/own\.csv", (.*)\),/.exec(read("workflows/own.ts")) ?? [];
    expect(await rowsOf(options)).toEqual([row]);
  });

  test.each([
    ["Customers of 2026\n\nname,city\nAda,Paris\n", "has 1 column in its header and 2 columns in its first row"],
    ["name,city\nAda\n", "has 2 columns in its header and 1 column in its first row"],
  ])("whose header does not fit its first row is told: %j", async (content, note) => {
    put("own.csv", content);
    const { notes } = await write({ file: join(folder, "own.csv") });
    expect(notes).toEqual([expect.stringContaining(`own.csv ${note}. Such rows become dead letters.`)]);
  });

  test("without a row, or with a first row that is no CSV, gets a test with a row of its own", async () => {
    for (const content of ["name,city\n", 'name,city\nA"da,Paris\n']) {
      put("own.csv", content);
      await write({ file: join(folder, "own.csv"), mayOverwrite: async () => true });
      expect(read("test/own.test.ts")).toContain('"name": "1",\n    "city": "1",\n');
    }
  });

  test.each([
    ["a,,,c\n", /line 1 of .*own\.csv must name each column, and it is "a,,,c"\. Correct/],
    ["sep=;\na;;;c\n", /line 2 of .*own\.csv must name each column, and it is "a;;;c"/],
    ['"a", "b"\n', /line 1 of .*own\.csv is no line of CSV: Invalid Opening Quote.*\. Correct the line/],
    ["a,b,a\n", /line 1 of .* names the column "a" twice/],
    ["\n\n", /must name each column/],
    ["", /own\.csv is empty/],
    ["PK\u0003\u0004", /is a ZIP archive or an Excel workbook: save it as CSV/],
  ])("with the first line %j is refused, and nothing is written", async (content, message) => {
    put("own.csv", content);
    await expect(write({ file: join(folder, "own.csv") })).rejects.toThrow(message);
    expect(existsSync(join(folder, "package.json"))).toBe(false);
  });

  test("that does not exist is refused", async () => {
    await expect(write({ file: join(folder, "none.csv") })).rejects.toThrow(/cannot be read.*--file/);
  });

  test.each([
    ["My customers.csv", "my-customers"],
    ["2026-orders.v2.csv", "orders-v2"],
    ["日本.csv", ""],
  ])("gives the workflow a name: %s", (file, name) => {
    expect(nameOf(file)).toBe(name);
  });
});

test.each([
  [{ source: "ftp" }, /--source must be one of csv, api, code, and it is "ftp"/],
  [{ source: "api", file: "a.csv" }, /use it with --source csv/],
  [{ name: "Big Name" }, /1 to 40 characters.*--name/],
  [{ name: "a".repeat(41) }, /1 to 40 characters/],
])("%o is refused", async (options, message) => {
  await expect(write(options)).rejects.toThrow(message);
});
