import {
  ObjectMissingError,
  type ObjectStore,
  ObjectStoreError,
  type StoredObject,
} from "../../shared/aws/object-store.ts";

export type StoreMethod = "put" | "putIfAbsent" | "putStream" | "get" | "getRange" | "stream" | "list" | "delete";

/** What happens to a call: nothing special, a failure before it takes effect, or a failure after it. */
export type StoreFault = undefined | "refused" | "answer lost";

/** Objects in memory. A test decides what happens to each call. */
export class MemoryObjectStore implements ObjectStore {
  readonly url = "memory:results";
  readonly objects = new Map<string, Uint8Array>();
  readonly calls: { readonly method: StoreMethod; readonly key: string }[] = [];
  /** Called before each call. It may wait. */
  onCall: (method: StoreMethod, key: string) => Promise<StoreFault> | StoreFault = () => undefined;
  /** The objects of one page of a listing. */
  pageSize = 1_000;

  async put(key: string, body: Uint8Array): Promise<void> {
    await this.#during("put", key, () => void this.objects.set(key, Uint8Array.from(body)));
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    return await this.#during("putIfAbsent", key, () => {
      if (this.objects.has(key)) return false;
      this.objects.set(key, Uint8Array.from(body));
      return true;
    });
  }

  async putStream(key: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
    await this.#during("putStream", key, () => void this.objects.set(key, Buffer.concat(parts)));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.#during("get", key, () => this.objects.get(key));
  }

  async getRange(key: string, start: number, end: number): Promise<Uint8Array | undefined> {
    return await this.#during("getRange", key, () => this.objects.get(key)?.subarray(start, end));
  }

  async *stream(key: string): AsyncGenerator<Uint8Array, void, undefined> {
    const body = await this.#during("stream", key, () => this.objects.get(key));
    if (body === undefined) throw new ObjectMissingError(this.url, key);
    const half = Math.ceil(body.length / 2);
    for (const chunk of [body.subarray(0, half), body.subarray(half)]) if (chunk.length > 0) yield chunk;
  }

  async *list(prefix: string): AsyncGenerator<readonly StoredObject[], void, undefined> {
    for (let after = ""; ; ) {
      const page = await this.#during("list", prefix, () =>
        [...this.objects]
          .filter(([key]) => key.startsWith(prefix) && key > after)
          .map(([key, body]) => ({ key, size: body.length }))
          .sort((a, b) => (a.key < b.key ? -1 : 1))
          .slice(0, this.pageSize),
      );
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < this.pageSize) return;
      after = last.key;
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    await this.#during("delete", keys.join(" "), () => {
      for (const key of keys) this.objects.delete(key);
    });
  }

  /** The keys that begin with a text, sorted. */
  keys(prefix = ""): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  text(key: string): string {
    return Buffer.from(this.objects.get(key) ?? "").toString();
  }

  /** The parsed lines of all objects whose keys begin with a text. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read any field.
  lines(prefix: string): any[] {
    return this.keys(prefix).flatMap((key) =>
      this.text(key)
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line)),
    );
  }

  async #during<Result>(method: StoreMethod, key: string, act: () => Result): Promise<Result> {
    this.calls.push({ method, key });
    const fault = await this.onCall(method, key);
    if (fault === "refused") throw new ObjectStoreError(`${method} ${key}`, new Error("503 Slow Down"));
    const result = act();
    if (fault === "answer lost") throw new ObjectStoreError(`${method} ${key}`, new Error("socket hang up"));
    return result;
  }
}
