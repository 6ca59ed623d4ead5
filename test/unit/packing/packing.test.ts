import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pruneDeclarations } from "../../../tools/packing/declarations.ts";
import { deleteEmptyModules } from "../../../tools/packing/empty-modules.ts";
import { filesIn } from "../../../tools/packing/files.ts";
import { importsOf, namesImported, withImports } from "../../../tools/packing/imports.ts";
import { packPage } from "../../../tools/packing/page.ts";
import { vendor } from "../../../tools/packing/vendor.ts";
import { INSTALLED, packageOf, VENDORED } from "../../../tools/packing/vendored.ts";
import { withoutComments } from "../../../tools/packing/without-comments.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-packing-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = (name: string) => join(directory, name);
const read = (name: string) => readFileSync(path(name), "utf8");
function write(files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content);
  }
}

test("a vendored package is not installed with the library, and what it needs besides is", () => {
  for (const name of VENDORED) {
    expect(Object.keys(manifest.devDependencies), name).toContain(name);
    expect(Object.keys(manifest.dependencies), name).not.toContain(name);
  }
  expect(Object.keys(manifest.dependencies)).toEqual(expect.arrayContaining([...INSTALLED]));
});

test("the package of an import is known, with a scope or without", () => {
  expect(["ms", "csv-parse/sync", "@a/b", "@a/b/c"].map(packageOf)).toEqual(["ms", "csv-parse", "@a/b", "@a/b"]);
});

test("imports are found and replaced in all their forms", () => {
  const text = 'import a from "a";\nimport "b";\nexport { c } from "c";\nconst d = await import("d");\nconst e = "e";';
  expect(importsOf(text)).toEqual(["a", "b", "c", "d"]);
  expect(withImports(text, (specifier) => (specifier === "c" || specifier === "d" ? "./x.js" : undefined))).toBe(
    text.replace('"c"', '"./x.js"').replace('"d"', '"./x.js"'),
  );
});

test("the names that a module imports are known", () => {
  const text = 'import a, { b as c, d } from "x";\nexport { e } from "x";\nimport f from "y";\nimport * as g from "z";';
  expect(namesImported(text, "x")).toEqual(["default", "b", "d", "e"]);
  expect(namesImported(text, "y")).toEqual(["default"]);
  expect(namesImported(text, "z")).toBeUndefined();
  expect(namesImported('const { a } = await import("x");', "x")).toBeUndefined();
});

describe("vendoring", () => {
  test("puts the code of packages into the directory: CommonJS with its names, ES modules, and built-in modules", async () => {
    write({
      "cli/a.js":
        'import { SingleBar } from "cli-progress";\nimport { Command } from "commander";\nexport { SingleBar, Command };',
      "b.js": 'import { parse } from "csv-parse/sync";\nimport ms from "ms";\nexport { parse, ms };',
      "deep/er/c.js": 'export const { closestMatch } = await import("leven");',
      "d.js": 'import { DynamoDBClient } from "@aws-sdk/client-dynamodb";\nexport { DynamoDBClient };',
    });
    await vendor(directory, root);
    expect(read("cli/a.js")).toContain('from "../vendor/cli-progress.js"');
    expect(read("b.js")).toContain('from "./vendor/functions/csv-parse-sync.js"');
    expect(read("d.js")).toContain('from "@aws-sdk/client-dynamodb"');
    // The directory has no `node_modules`, so everything comes from the vendored files.
    const load = (name: string) => import(pathToFileURL(path(name)).href);
    const { SingleBar, Command } = await load("cli/a.js");
    expect(new SingleBar({})).toHaveProperty("start");
    expect(new Command("x").name()).toBe("x");
    const { parse, ms } = await load("b.js");
    expect(parse("a,b\n1,2")).toEqual([
      ["a", "b"],
      ["1", "2"],
    ]);
    expect(ms("2h")).toBe(7_200_000);
    expect((await load("deep/er/c.js")).closestMatch("run", ["rum", "status"])).toBe("rum");
  });

  test("takes all actions of dynalite, which loads them by their names", async () => {
    write({ "dist/table.js": 'import dynalite from "dynalite";\nexport { dynalite };' });
    // Its native module is installed with the library.
    symlinkSync(join(root, "node_modules"), path("node_modules"));
    await vendor(path("dist"), root);
    const { dynalite } = await import(pathToFileURL(path("dist/table.js")).href);
    const server: Server = dynalite({ createTableMs: 0 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}`, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "DynamoDB_20120810.ListTables",
        authorization:
          "AWS4-HMAC-SHA256 Credential=a/20261128/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=b",
        "x-amz-date": "20261128T000000Z",
      },
      body: "{}",
    });
    expect(await response.json()).toEqual({ TableNames: [] });
    server.close();
    await once(server, "close");
  });

  test("keeps the licences", async () => {
    write({ "b.js": 'import { Command } from "commander";\nimport wrap from "wrap-ansi";\nexport { Command, wrap };' });
    await vendor(directory, root);
    const licences = read("vendor/LICENSES.txt");
    for (const name of ["commander", "wrap-ansi", "strip-ansi"]) {
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n\n\\S`, "m"));
    }
    expect(licences).toContain("TJ Holowaychuk");
    expect(licences).not.toMatch(/^dynalite /m);
  });
});

describe("declarations", () => {
  const files = {
    "index.d.ts": 'export { a } from "./a.js";\n/** `import b from "./b.js"` is an example. */',
    "a.d.ts": 'export declare const a: import("./deep/c.js").C;',
    "deep/c.d.ts": "export interface C {}",
    "unused.d.ts": "export {};",
    "unused.js": "export {};",
  };

  test("stay if an import of the user reaches them, and are deleted otherwise", () => {
    write(files);
    pruneDeclarations(directory, [path("index.d.ts")], VENDORED);
    expect(
      filesIn(directory)
        .map((file) => file.slice(directory.length + 1))
        .toSorted(),
    ).toEqual(["a.d.ts", "deep/c.d.ts", "index.d.ts", "unused.js"]);
  });

  test("must not need a package that is vendored", () => {
    write({ ...files, "deep/c.d.ts": 'import type { Options } from "csv-parse/sync";' });
    expect(() => pruneDeclarations(directory, [path("index.d.ts")], VENDORED)).toThrow(
      /c\.d\.ts needs the types of csv-parse\/sync, which is not installed/,
    );
  });
});

test("modules with types only are deleted, unless another module imports them", () => {
  write({
    "a.js": 'import "./b.js";\nexport const a = 1;',
    "b.js": "export {};\n",
    "c.js": "export {};\n",
    "d.js": "",
  });
  deleteEmptyModules(filesIn(directory));
  expect(["a.js", "b.js", "c.js", "d.js"].filter((name) => existsSync(path(name)))).toEqual(["a.js", "b.js"]);
});

test("comments are deleted, and the code stays readable and does the same", async () => {
  write({ "a.js": '// why\n/** what */\nexport async function f(a) {\n  /* how */ return "// " + a;\n}\n' });
  await withoutComments([path("a.js")]);
  expect(read("a.js")).toBe('export async function f(a) {\n  return "// " + a;\n}\n');
});

test("the page of the dashboard is packed small, and with the licences of the packages that it contains", async () => {
  await packPage(path("ui/page"), root);
  // A line of the minified script has thousands of characters.
  expect(read("ui/page/page.js").split("\n").length).toBeLessThan(200);
  expect(read("ui/page/page.css")).toContain(".bar");
  const licences = read("ui/page/LICENSES.txt");
  for (const name of ["preact", "@preact/signals", "uplot", "virtua", "react-json-view-lite", "diff"]) {
    expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\n\n\\S`, "m"));
  }
  expect(licences).toContain("Leon Sorokin");
  // It is installed under the names of the two packages that it replaces.
  expect(licences.match(/^@preact\/compat \d/gm)).toHaveLength(1);
});
