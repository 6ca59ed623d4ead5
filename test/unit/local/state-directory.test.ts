import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StateDirectory } from "../../../local/state-directory.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-state-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const versionIn = (state: StateDirectory): unknown => JSON.parse(readFileSync(join(state.path, "state.json"), "utf8"));

test("a state directory has its version, also after it was cleared", () => {
  const state = new StateDirectory("w", root);
  expect(state.lock("engine")).toBe(true);
  expect(versionIn(state)).toEqual({ version: 1 });
  state.clear();
  expect(versionIn(state)).toEqual({ version: 1 });
  state.unlock();
});

test("a directory without a version is accepted, and gets a version", () => {
  const state = new StateDirectory("w", root);
  mkdirSync(state.path, { recursive: true });
  writeFileSync(state.queues, "");
  expect(state.useServices()).toBeUndefined();
  expect(state.lock("look")).toBe(true);
  expect(versionIn(state)).toEqual({ version: 1 });
  state.unlock();
});

test("a directory of a newer version is left unchanged, and the error says what to do", () => {
  const state = new StateDirectory("w", root);
  mkdirSync(state.path, { recursive: true });
  writeFileSync(join(state.path, "state.json"), '{"version":2,"more":true}');
  const message =
    `${state.path} has version 2 of the state, and this version of Sluice reads versions up to 1: use the version that ` +
    "wrote it or a later one (npm install sluice@latest), or move the directory away to begin without its runs and " +
    "dead letters";
  for (const refused of [() => state.lock("engine"), () => state.lock("look"), () => state.useServices()]) {
    expect(refused).toThrow(expect.objectContaining({ code: "STATE_NEWER", message }));
  }
  expect(versionIn(state)).toEqual({ version: 2, more: true });
});

test("after the lock, only the user can read a directory and its files, even if others could before", () => {
  const state = new StateDirectory("w", root);
  mkdirSync(state.path, { recursive: true, mode: 0o755 });
  const modeOf = (path: string) => statSync(path).mode & 0o777;
  expect(modeOf(state.path)).toBe(0o755);
  expect(state.lock("engine")).toBe(true);
  state.offerServices("engine", { sqs: "http://127.0.0.1:1", dynamoDb: "http://127.0.0.1:2", accessKeyId: "key" });
  expect(modeOf(state.path)).toBe(0o700);
  for (const file of [state.awsConfig, join(state.path, "engine.json")]) expect(modeOf(file)).toBe(0o600);
  state.unlock();
});

test("the unfinished files of results go if their writer has ended, and everything else stays", () => {
  const state = new StateDirectory("w", root);
  state.removeDrafts();
  const folder = join(state.results, "run-1", "raw");
  mkdirSync(folder, { recursive: true });
  const ended = spawnSync(process.execPath, ["--version"]).pid;
  for (const name of [`.${ended}-0a1b.draft`, `.${process.pid}-0a1b.draft`, "000-000-id.jsonl", ".hidden"])
    writeFileSync(join(folder, name), "");
  state.removeDrafts();
  expect(readdirSync(folder).sort()).toEqual([".hidden", `.${process.pid}-0a1b.draft`, "000-000-id.jsonl"].sort());
});
