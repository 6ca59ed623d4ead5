import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ExportFile } from "../../../../cli/dlq/export-file.ts";
import { temporaryDirectory } from "../../../helpers/test-engine.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const at = (name: string) => join(directory.path, name);
const create = (path: string, force = true) => ExportFile.create(path, { format: "csv", force });

/** Exports no dead letters, so the file has the header of the CSV only. */
async function exportTo(path: string, force?: boolean) {
  const file = await create(path, force);
  await file.write([]);
  await file.finish();
}

describe("an export with --force", () => {
  test("replaces a file, and nobody sees half of it", async () => {
    writeFileSync(at("out.csv"), "old");
    const file = await create(at("out.csv"));
    await file.write([]);
    expect(readFileSync(at("out.csv"), "utf8")).toBe("old");
    await file.finish();
    expect(readFileSync(at("out.csv"), "utf8")).toMatch(/^id,workflow,run/);
    expect(readdirSync(directory.path)).toEqual(["out.csv"]);
  });

  test("leaves a file as it is if nothing was exported", async () => {
    writeFileSync(at("out.csv"), "old");
    await (await create(at("out.csv"))).discard();
    expect(readFileSync(at("out.csv"), "utf8")).toBe("old");
    expect(readdirSync(directory.path)).toEqual(["out.csv"]);
  });

  test("does not write into a file that looks like its own draft", async () => {
    writeFileSync(at("out.csv.part"), "somebody else's");
    await exportTo(at("out.csv"));
    expect(readFileSync(at("out.csv.part"), "utf8")).toBe("somebody else's");
  });

  test("follows a link, and leaves it a link", async () => {
    writeFileSync(at("target"), "old");
    symlinkSync("second", at("out.csv"));
    symlinkSync(at("target"), at("second"));
    await exportTo(at("out.csv"));
    expect(readFileSync(at("target"), "utf8")).toMatch(/^id,workflow,run/);
    expect(lstatSync(at("out.csv")).isSymbolicLink()).toBe(true);
    expect(readdirSync(directory.path).sort()).toEqual(["out.csv", "second", "target"]);
  });

  test("creates the file that a link leads to", async () => {
    symlinkSync(at("new"), at("out.csv"));
    await exportTo(at("out.csv"));
    expect(readFileSync(at("new"), "utf8")).toMatch(/^id,workflow,run/);
  });

  test("writes into a FIFO, which stays a FIFO", async () => {
    execFileSync("mkfifo", [at("out.csv")]);
    const read = readFile(at("out.csv"), "utf8");
    await exportTo(at("out.csv"));
    expect(await read).toMatch(/^id,workflow,run/);
    expect(lstatSync(at("out.csv")).isFIFO()).toBe(true);
  });

  test("writes into a device, which stays a device, also if nothing was exported", async () => {
    await exportTo("/dev/null");
    await (await create("/dev/null")).discard();
    expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
  });

  test("refuses a directory, and a link to one", async () => {
    mkdirSync(at("folder"));
    symlinkSync(at("folder"), at("out.csv"));
    for (const name of ["folder", "out.csv"]) {
      await expect(exportTo(at(name))).rejects.toThrow(
        `${at("folder")} is a directory, and an export replaces only files`,
      );
    }
    expect(readdirSync(at("folder"))).toEqual([]);
  });

  test("refuses links in a circle", async () => {
    symlinkSync(at("out.csv"), at("second"));
    symlinkSync(at("second"), at("out.csv"));
    await expect(exportTo(at("out.csv"))).rejects.toThrow("leads through too many symbolic links");
  });

  test("does not replace a link that appeared during the export", async () => {
    writeFileSync(at("target"), "old");
    const file = await create(at("out.csv"));
    await file.write([]);
    symlinkSync(at("target"), at("out.csv"));
    await expect(file.finish()).rejects.toThrow("is a symbolic link");
    expect(readFileSync(at("target"), "utf8")).toBe("old");
    expect(readdirSync(directory.path).sort()).toEqual(["out.csv", "target"]);
  });
});

describe("an export without --force", () => {
  test("refuses a file, also if it appeared during the export", async () => {
    const file = await create(at("out.csv"), false);
    writeFileSync(at("out.csv"), "new");
    await expect(file.finish()).rejects.toThrow("exists already");
    await expect(exportTo(at("out.csv"), false)).rejects.toThrow("exists already");
    expect(readFileSync(at("out.csv"), "utf8")).toBe("new");
    expect(readdirSync(directory.path)).toEqual(["out.csv"]);
  });

  test.each([
    ["a symbolic link", (path: string) => symlinkSync(at("nowhere"), path)],
    ["a directory", (path: string) => mkdirSync(path)],
    ["a FIFO", (path: string) => execFileSync("mkfifo", [path])],
  ])("refuses %s, and leaves it as it is", async (kind, make) => {
    make(at("out.csv"));
    const { ino } = lstatSync(at("out.csv"));
    await expect(exportTo(at("out.csv"), false)).rejects.toThrow(`${at("out.csv")} is ${kind}`);
    expect(lstatSync(at("out.csv")).ino).toBe(ino);
    expect(existsSync(at("nowhere"))).toBe(false);
  });

  test("refuses a device", async () => {
    await expect(exportTo("/dev/null", false)).rejects.toThrow("/dev/null is a device");
  });
});

test("a backup has its name from the start, and replaces nothing", async () => {
  const backup = () => ExportFile.create(at("backup.jsonl"), { format: "jsonl", growing: true });
  const file = await backup();
  expect(existsSync(at("backup.jsonl"))).toBe(true);
  await expect(backup()).rejects.toThrow("exists already");
  await file.finish();
  expect(existsSync(at("backup.jsonl"))).toBe(true);
});
