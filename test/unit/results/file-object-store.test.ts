import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, expect, test } from "vitest";
import { ObjectStoreError } from "../../../shared/aws/object-store.ts";
import { FileObjectStore, writerOfDraft } from "../../../shared/results/file-object-store.ts";
import { testObjectStore } from "./object-store-contract.ts";

const roots: string[] = [];

function newStore() {
  const root = mkdtempSync(join(tmpdir(), "sluice-store-"));
  roots.push(root);
  return { root, store: new FileObjectStore(`${pathToFileURL(join(root, "results")).href}/`) };
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

testObjectStore("FileObjectStore", async () => newStore().store);

test("only the user can read the files and the directories", async () => {
  const { root, store } = newStore();
  await store.put("run/raw/a.jsonl", Buffer.from("a"));
  const modes = ["results", "results/run", "results/run/raw"].map((path) => statSync(join(root, path)).mode & 0o777);
  expect(modes).toEqual([0o700, 0o700, 0o700]);
  expect(statSync(join(root, "results/run/raw/a.jsonl")).mode & 0o777).toBe(0o600);
});

test("a draft that a killed process has left is no object", async () => {
  const { root, store } = newStore();
  await store.put("run/a", Buffer.from("a"));
  writeFileSync(join(root, "results/run/.1-abc.draft"), "half");
  const listed = [];
  for await (const page of store.list("run/")) listed.push(...page.map(({ key }) => key));
  expect(listed).toEqual(["run/a"]);
});

test("a draft names the process that writes it", async () => {
  const { root, store } = newStore();
  async function* chunks() {
    yield Buffer.from("half");
    expect(readdirSync(join(root, "results/run")).map(writerOfDraft)).toEqual([process.pid]);
  }
  await store.putStream("run/a", chunks());
  expect(["a", ".hidden", ".1.draft", "run.1-0a.draft"].map(writerOfDraft)).toEqual(Array(4).fill(undefined));
});

test("a write that fails says where and why, and leaves no draft", async () => {
  const { root, store } = newStore();
  await store.put("run/a", Buffer.from("a"));
  // A file is where the directory should be. This fails for every user, also for root.
  await expect(store.put("run/a/b", Buffer.from("b"))).rejects.toThrow(ObjectStoreError);
  await expect(store.put("run/a/b", Buffer.from("b"))).rejects.toThrow(/^could not write file:.*run\/a\/b: E/);
  expect(readdirSync(join(root, "results/run"))).toEqual(["a"]);
  chmodSync(join(root, "results/run"), 0o700);
});

test("a key that would leave the directory is refused", async () => {
  const { store } = newStore();
  for (const key of ["../a", "run/../a", "/a", "run//a", "", ".hidden", "run/.draft"]) {
    await expect(store.put(key, Buffer.from("a"))).rejects.toThrow("not a key");
  }
});
