import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { BundleCache } from "../../../shared/bundling/bundle-cache.ts";
import { type CacheableBuildOptions, cachedBuild, keyOf } from "../../../shared/bundling/cached-build.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

/** A project in which the entry point imports a module, which imports another one and a package. */
const PROJECT = {
  "main.ts": 'import { a } from "./a";\nconsole.log(a);\n',
  "a.ts": 'import { b } from "./b";\nimport { dep } from "dep";\nexport const a = [b, dep];\n',
  "b/index.ts": 'export const b = "b1";\n',
  "node_modules/dep/package.json": '{ "name": "dep", "version": "1.0.0", "main": "one.js" }',
  "node_modules/dep/one.js": 'exports.dep = "dep one";\n',
  "node_modules/dep/two.js": 'exports.dep = "dep two";\n',
};

let directory: ReturnType<typeof temporaryDirectory>;
let cache: BundleCache;
const cacheDirectory = () => join(directory.path, "cache");
const project = (file: string) => join(directory.path, "project", file);

function write(file: string, content: string): void {
  mkdirSync(dirname(project(file)), { recursive: true });
  writeFileSync(project(file), content);
}

const optionsFor = (more: Partial<CacheableBuildOptions> = {}): CacheableBuildOptions => ({
  entryPoints: [project("main.ts")],
  bundle: true,
  platform: "node",
  sourcemap: true,
  logLevel: "silent",
  ...more,
});

/** Waits until the latest change is older than the build that follows, as an edit by a person is. */
const settled = async () => {
  const changedAt = Date.now();
  await vi.waitUntil(() => Date.now() > changedAt + 40, { ...PATIENTLY, interval: 5 });
};

/** Builds, and says whether esbuild ran. */
async function build(more?: Partial<CacheableBuildOptions>, from = cache) {
  let built = false;
  const onBuild = () => {
    built = true;
  };
  const { files } = await cachedBuild(optionsFor(more), from, { onBuild });
  return { built, code: Buffer.from(files["main.js"] ?? "").toString(), files };
}

beforeEach(async () => {
  directory = temporaryDirectory();
  cache = new BundleCache(cacheDirectory());
  for (const [file, content] of Object.entries(PROJECT)) write(file, content);
  await settled();
});
afterEach(() => directory[Symbol.dispose]());

test("a build whose inputs are the same comes from the cache, byte for byte", async () => {
  const first = await build();
  const second = await build();
  expect([first.built, second.built]).toEqual([true, false]);
  expect(second.files).toEqual(
    Object.fromEntries(Object.entries(first.files).map(([name, content]) => [name, Buffer.from(content)])),
  );
});

test("the source map names its sources by URL, because the bundle can be written anywhere", async () => {
  const { files } = await build();
  const { sources } = JSON.parse(Buffer.from(files["main.js.map"] ?? "").toString());
  expect(sources).toContain(`file://${project("a.ts")}`);
});

describe("esbuild runs again, and the bundle has the change,", () => {
  test.each<[what: string, change: () => void, code: string]>([
    ["if a module that a module imports changes", () => write("b/index.ts", 'export const b = "b2";\n'), "b2"],
    [
      "if a package's version and its main file change",
      () => write("node_modules/dep/package.json", '{ "name": "dep", "version": "2.0.0", "main": "two.js" }'),
      "dep two",
    ],
    ["if a package's file changes", () => write("node_modules/dep/one.js", 'exports.dep = "dep 1b";\n'), "dep 1b"],
    [
      "if a new file is found before an imported one",
      () => write("b.ts", 'export const b = "new file";\n'),
      "new file",
    ],
    [
      "if a file of another extension is found before an imported one",
      () => write("a.tsx", 'export const a = "a as tsx";\n'),
      "a as tsx",
    ],
    [
      "if a tsconfig.json is added",
      () => {
        write("tsconfig.json", '{ "compilerOptions": { "paths": { "dep": ["./other.ts"] } } }');
        write("other.ts", 'export const dep = "dep by tsconfig";\n');
      },
      "dep by tsconfig",
    ],
    [
      "if a package in node_modules becomes a link to another directory",
      () => {
        write("linked/package.json", '{ "name": "dep", "version": "1.0.0" }');
        write("linked/index.js", 'exports.dep = "dep by link";\n');
        rmSync(project("node_modules/dep"), { recursive: true });
        symlinkSync(project("linked"), project("node_modules/dep"));
      },
      "dep by link",
    ],
  ])("%s", async (_, change, code) => {
    expect((await build()).code).not.toContain(code);
    expect((await build()).built).toBe(false);
    change();
    await settled();
    const after = await build();
    expect(after.built).toBe(true);
    expect(after.code).toContain(code);
    expect((await build()).built).toBe(false);
  });

  test("if a nearer copy of a package is installed", async () => {
    write("lib/a.ts", PROJECT["a.ts"].replace("./b", "../b"));
    write("main.ts", 'import { a } from "./lib/a";\nconsole.log(a);\n');
    await settled();
    await build();
    expect((await build()).built).toBe(false);
    write("lib/node_modules/dep/package.json", '{ "name": "dep", "version": "9.0.0" }');
    write("lib/node_modules/dep/index.js", 'exports.dep = "nearer";\n');
    expect(await build()).toMatchObject({ built: true, code: expect.stringContaining("nearer") });
  });

  test("if a file changes that a tsconfig.json extends", async () => {
    write("base.json", "{}");
    write("tsconfig.json", '{ "extends": "./base.json", /* a comment */ }');
    await settled();
    await build();
    expect((await build()).built).toBe(false);
    write("other.ts", 'export const dep = "by the base";\n');
    write("base.json", '{ "compilerOptions": { "paths": { "dep": ["./other.ts"] } } }');
    expect(await build()).toMatchObject({ built: true, code: expect.stringContaining("by the base") });
  });

  test("if an option changes", async () => {
    const { code } = await build();
    const minified = await build({ minify: true });
    expect(minified.built).toBe(true);
    expect(minified.code.length).toBeLessThan(code.length);
    expect((await build()).built).toBe(false);
  });
});

test("another version of esbuild or of Node has entries of its own", () => {
  const versions = { esbuild: "0.28.2", node: "v24.0.0" };
  const key = keyOf(optionsFor(), versions);
  expect(keyOf(optionsFor(), versions)).toBe(key);
  expect(keyOf(optionsFor(), { ...versions, esbuild: "0.28.3" })).not.toBe(key);
  expect(keyOf(optionsFor(), { ...versions, node: "v24.0.1" })).not.toBe(key);
});

test("a command in another directory uses the same entries, unless NODE_PATH leads elsewhere from there", () => {
  onTestFinished(() => void [vi.restoreAllMocks(), vi.unstubAllEnvs()]);
  const keyIn = (directory: string, nodePath: string) => {
    vi.stubEnv("NODE_PATH", nodePath);
    vi.spyOn(process, "cwd").mockReturnValue(directory);
    return keyOf(optionsFor());
  };
  expect(keyIn("/app/one", "/lib")).toBe(keyIn("/app/two", "/lib"));
  expect(keyIn("/app/one", "lib")).not.toBe(keyIn("/app/two", "lib"));
});

test("a change is noticed in whatever directory the process works", async () => {
  const before = process.cwd();
  onTestFinished(() => process.chdir(before));
  process.chdir(directory.path);
  await build();
  expect((await build()).built).toBe(false);
  write("b/index.ts", 'export const b = "b2";\n');
  await settled();
  expect(await build()).toMatchObject({ built: true, code: expect.stringContaining("b2") });
});

test("a file that changes while esbuild runs is not cached with the bundle of before", async () => {
  await cachedBuild(optionsFor(), cache, {
    onBuild: () => write("b/index.ts", 'export const b = "written during the build";\n'),
  });
  await settled();
  expect(await build()).toMatchObject({ built: true, code: expect.stringContaining("written during the build") });
});

test("a failed build says why, and is not cached", async () => {
  write("main.ts", 'import "./missing";\n');
  await expect(build()).rejects.toThrow('Could not resolve "./missing"');
  await expect(build()).rejects.toThrow('Could not resolve "./missing"');
});

describe("An entry of the cache", () => {
  const entries = () => readdirSync(cacheDirectory()).map((name) => join(cacheDirectory(), name));

  test.each<[how: string, damage: (file: string) => void]>([
    ["is cut off", (file) => writeFileSync(file, readFileSync(file).subarray(0, -100))],
    [
      "has a changed byte",
      (file) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 10] = (bytes.at(-10) ?? 0) ^ 1;
        writeFileSync(file, bytes);
      },
    ],
    ["is empty", (file) => writeFileSync(file, "")],
    ["is a directory", (file) => [unlinkSync(file), mkdirSync(file)]],
  ])("that %s is not used", async (_, damage) => {
    const { code } = await build();
    damage(entries()[0] as string);
    expect(await build()).toMatchObject({ built: true, code });
  });

  test("that was damaged is replaced", async () => {
    await build();
    writeFileSync(entries()[0] as string, "damaged");
    await build();
    expect((await build()).built).toBe(false);
  });

  test("is removed when there are too many, the one first that was not used for the longest time", async () => {
    const small = new BundleCache(cacheDirectory(), 2);
    for (const banner of ["/* 1 */", "/* 2 */"]) await build({ banner: { js: banner } }, small);
    const usedAt = Math.max(...entries().map((file) => statSync(file).mtimeMs));
    await vi.waitUntil(() => Date.now() > usedAt + 20, { ...PATIENTLY, interval: 5 });
    expect((await build({ banner: { js: "/* 1 */" } }, small)).built).toBe(false);
    await build({ banner: { js: "/* 3 */" } }, small);
    expect(entries()).toHaveLength(2);
    expect((await build({ banner: { js: "/* 1 */" } }, small)).built).toBe(false);
    expect((await build({ banner: { js: "/* 2 */" } }, small)).built).toBe(true);
  });

  test("is whole, however many processes write it at once", async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => build({}, new BundleCache(cacheDirectory()))));
    expect(new Set(results.map(({ code }) => code)).size).toBe(1);
    expect(entries()).toHaveLength(1);
    expect((await build()).built).toBe(false);
  });
});

test("a cache that cannot be written costs only time", async () => {
  writeFileSync(cacheDirectory(), "no directory");
  expect((await build()).built).toBe(true);
  expect((await build()).built).toBe(true);
});
