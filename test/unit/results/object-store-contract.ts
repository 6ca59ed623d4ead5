import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { ObjectMissingError, type ObjectStore } from "../../../shared/aws/object-store.ts";

const bytes = (text: string) => Buffer.from(text);
const text = (body: Uint8Array | undefined) => body && Buffer.from(body).toString();

async function* chunks(...texts: readonly string[]) {
  for (const each of texts) yield bytes(each);
}

async function read(store: ObjectStore, key: string): Promise<string> {
  const read: Uint8Array[] = [];
  for await (const chunk of store.stream(key)) read.push(chunk);
  return Buffer.concat(read).toString();
}

async function keys(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  const listed: string[] = [];
  for await (const page of store.list(prefix)) listed.push(...page.map(({ key }) => key));
  return listed;
}

/** What every implementation of `ObjectStore` does. `open` returns a store without objects. */
export function testObjectStore(name: string, open: () => Promise<ObjectStore>): void {
  describe(name, () => {
    test("an object that is put is read, whole, by range and as a stream", async () => {
      const store = await open();
      await store.put("run/raw/a.jsonl", bytes("0123456789"));
      expect(text(await store.get("run/raw/a.jsonl"))).toBe("0123456789");
      expect(text(await store.getRange("run/raw/a.jsonl", 2, 5))).toBe("234");
      expect(text(await store.getRange("run/raw/a.jsonl", 8, 20))).toBe("89");
      expect(await read(store, "run/raw/a.jsonl")).toBe("0123456789");
    });

    test("a put replaces the object that has the key", async () => {
      const store = await open();
      await store.put("a", bytes("first"));
      await store.put("a", bytes("second"));
      expect(text(await store.get("a"))).toBe("second");
    });

    test("an object that does not exist is undefined, and its stream throws", async () => {
      const store = await open();
      expect(await store.get("run/a")).toBeUndefined();
      expect(await store.getRange("run/a", 0, 1)).toBeUndefined();
      await expect(read(store, "run/a")).rejects.toThrow(ObjectMissingError);
    });

    test("of several conditional writes of a key, one takes effect", async () => {
      const store = await open();
      const written = await Promise.all(
        ["a", "b", "c"].map((body) => store.putIfAbsent("manifest-1.json", bytes(body))),
      );
      expect(written.filter((isFirst) => isFirst)).toHaveLength(1);
      expect(text(await store.get("manifest-1.json"))).toBe(["a", "b", "c"][written.indexOf(true)]);
      expect(await store.putIfAbsent("manifest-1.json", bytes("d"))).toBe(false);
    });

    test("a stream of chunks becomes one object when it ends", async () => {
      const store = await open();
      await store.putStream("run/part.jsonl", chunks("one\n", "two\n", ""));
      expect(text(await store.get("run/part.jsonl"))).toBe("one\ntwo\n");
      await store.putStream("run/empty.jsonl", chunks());
      expect(text(await store.get("run/empty.jsonl"))).toBe("");
    });

    test("a stream that fails leaves no object, and its error reaches the caller", async () => {
      const store = await open();
      const failure = new Error("the source of the chunks failed");
      async function* failing() {
        yield bytes("one\n");
        throw failure;
      }
      await expect(store.putStream("run/part.jsonl", failing())).rejects.toBe(failure);
      expect(await store.get("run/part.jsonl")).toBeUndefined();
      expect(await keys(store, "")).toEqual([]);
    });

    test("a listing has the keys below a prefix, in the order of their bytes", async () => {
      const store = await open();
      const all = ["r-1/a", "r/a-b/c", "r/a/b", "r/a/b-c", "r/a0", "r/b", "s/a"];
      for (const key of [...all].reverse()) await store.put(key, bytes(key));
      const sorted = [...all].sort();
      expect(await keys(store, "")).toEqual(sorted);
      expect(await keys(store, "r/")).toEqual(sorted.filter((key) => key.startsWith("r/")));
      expect(await keys(store, "r/a")).toEqual(sorted.filter((key) => key.startsWith("r/a")));
      expect(await keys(store, "r/a/b-")).toEqual(["r/a/b-c"]);
      expect(await keys(store, "t/")).toEqual([]);
    });

    test("a listing has the size of each object, and is complete beyond one page", async () => {
      const store = await open();
      const sizes = Array.from({ length: 1_100 }, (_, n) => n % 7);
      const put = (size: number, n: number) => store.put(`r/${String(n).padStart(4, "0")}`, bytes("x".repeat(size)));
      for (let first = 0; first < sizes.length; first += 50) {
        await Promise.all(sizes.slice(first, first + 50).map((size, n) => put(size, first + n)));
      }
      const listed = [];
      for await (const page of store.list("r/")) listed.push(...page);
      expect(listed.map(({ size }) => size)).toEqual(sizes);
    });

    test("deleted objects are gone, also if some never existed", async () => {
      const store = await open();
      for (const key of ["r/a/1", "r/a/2", "r/b"]) await store.put(key, bytes("x"));
      await store.delete(["r/a/1", "r/a/2", "r/c/none"]);
      expect(await keys(store, "")).toEqual(["r/b"]);
      await store.put("r/a/3", bytes("x"));
      expect(await keys(store, "")).toEqual(["r/a/3", "r/b"]);
    });
  });
}
