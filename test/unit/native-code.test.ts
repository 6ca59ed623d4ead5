import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { checkNativeCode } from "../../infra/native-code.ts";
import { temporaryDirectory } from "../helpers/test-engine.ts";

const MACHINES = { arm64: 0xb7, x86_64: 0x3e } as const;

/** The begin of a binary for a processor of Linux. */
function binary(machine: keyof typeof MACHINES): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write("\x7fELF", 0, "latin1");
  bytes.writeUInt16LE(MACHINES[machine], 18);
  return bytes;
}

/** Writes packages into an asset, or above it with `../../`, and checks those that are named. */
function check(names: readonly string[], files: Readonly<Record<string, Buffer | object>>): void {
  using directory = temporaryDirectory();
  const asset = join(directory.path, "asset");
  mkdirSync(asset);
  for (const [path, content] of Object.entries(files)) {
    const file = join(asset, "node_modules", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.isBuffer(content) ? content : JSON.stringify(content));
  }
  checkNativeCode(asset, { workflowFile: "workflows/a.ts", names, architecture: "arm64" });
}

const level = { "level/package.json": { name: "level", version: "1.0.0", dependencies: { "node-gyp-build": "1" } } };
const sharp = {
  "sharp/package.json": {
    name: "sharp",
    version: "0.34.0",
    optionalDependencies: { "@img/sharp-linux-arm64": "1", "@img/sharp-darwin-arm64": "1" },
  },
};

test("a package without native code needs none", () => {
  expect(() => check(["plain"], { "plain/package.json": { name: "plain", version: "1.0.0" } })).not.toThrow();
});

test("a package has its binaries, also beside those for other processors", () => {
  const file = "level/prebuilds/linux-arm64/level.node";
  expect(() =>
    check(["level"], { ...level, "level/prebuilds/linux-x64/level.node": binary("x86_64"), [file]: binary("arm64") }),
  ).not.toThrow();
});

test("a package without a binary for Lambda's processor is refused, with what to do", () => {
  const wrong = { ...level, "level/prebuilds/linux-x64/level.node": binary("x86_64") };
  expect(() => check(["level"], wrong)).toThrow(
    /^workflows\/a\.ts: the external package level 1\.0\.0 has no native code for linux on arm64.*bundling\.layers/,
  );
});

test("each package needs its own binaries: those of another package do not count", () => {
  const other = {
    "other/package.json": { name: "other", version: "1.0.0" },
    "other/build/Release/o.node": binary("arm64"),
  };
  expect(() => check(["other"], other)).not.toThrow();
  expect(() => check(["other", "level"], { ...other, ...level })).toThrow("level 1.0.0 has no native code");
});

test("a package of its platform that npm left out is missed", () => {
  expect(() => check(["sharp"], sharp)).toThrow("sharp 0.34.0 has no native code");
  const addon = "@img/sharp-linux-arm64/lib/sharp.node";
  expect(() => check(["sharp"], { ...sharp, [addon]: binary("arm64") })).not.toThrow();
  expect(() => check(["sharp"], { ...sharp, [addon]: binary("x86_64") })).toThrow("sharp 0.34.0");
});

test("a binary of the project in which the asset lies does not count", () => {
  const ofProject = { "../../node_modules/@img/sharp-linux-arm64/lib/sharp.node": binary("arm64") };
  expect(() => check(["sharp"], { ...sharp, ...ofProject })).toThrow("sharp 0.34.0 has no native code");
});

test("a package of a platform may contain a program", () => {
  const esbuild = {
    "esbuild/package.json": {
      name: "esbuild",
      version: "1.0.0",
      optionalDependencies: { "@esbuild/linux-arm64": "1" },
    },
    "@esbuild/linux-arm64/bin/esbuild": binary("arm64"),
  };
  expect(() => check(["esbuild"], esbuild)).not.toThrow();
});

test("the packages that a package needs are checked, and not those that it can do without", () => {
  const app = (dependency: object) => ({
    "app/package.json": { name: "app", version: "1.0.0", ...dependency },
    ...level,
  });
  expect(() => check(["app"], app({ dependencies: { level: "1" } }))).toThrow("the external package level");
  expect(() => check(["app"], app({ optionalDependencies: { level: "1" } }))).not.toThrow();
});
