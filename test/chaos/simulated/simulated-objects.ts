import { setTimeout } from "node:timers/promises";
import { type ObjectStore, ObjectStoreError, type StoredObject } from "../../../shared/aws/object-store.ts";
import { MOST_ATTEMPTS } from "../../../shared/aws/timeouts.ts";
import type { MemoryObjectStore } from "../../helpers/memory-object-store.ts";
import type { Random } from "../random.ts";
import type { StruckFaults } from "../struck-faults.ts";
import type { Latency } from "./latency.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

async function all<Thing>(things: AsyncIterable<Thing>): Promise<readonly Thing[]> {
  const list: Thing[] = [];
  for await (const thing of things) list.push(thing);
  return list;
}

/** How long after its timeout a request can take effect. */
const LATEST_EFFECT_MILLISECONDS = 3_000;

export interface ObjectsAccess {
  /** The objects. They outlive all processes. */
  readonly objects: MemoryObjectStore;
  readonly faults: StruckFaults;
  readonly latency: Latency;
  readonly random: Random;
  /** Whether the service answers at all. */
  readonly isUp: () => boolean;
}

/**
 * The object store, as a process reaches it: with latency, faults and the retries of the SDK. A request whose response is
 * lost has taken effect, and so has each of its repetitions. A request that is too slow may take effect after its client has
 * given up.
 */
export class ProcessObjects implements ObjectStore {
  readonly url = "memory:simulated";
  readonly #process: SimulatedProcess;
  readonly #access: ObjectsAccess;

  constructor(process: SimulatedProcess, access: ObjectsAccess) {
    this.#process = process;
    this.#access = access;
  }

  put(key: string, body: Uint8Array): Promise<void> {
    return this.#request("PutObject", (objects) => objects.put(key, body));
  }

  putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    return this.#request("PutObject", (objects) => objects.putIfAbsent(key, body));
  }

  async putStream(key: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    await this.put(key, Buffer.concat(parts));
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#request("GetObject", (objects) => objects.get(key));
  }

  getRange(key: string, start: number, end: number): Promise<Uint8Array | undefined> {
    return this.#request("GetObject", (objects) => objects.getRange(key, start, end));
  }

  async *stream(key: string): AsyncGenerator<Uint8Array, void, undefined> {
    yield* await this.#request("GetObject", (objects) => all(objects.stream(key)));
  }

  async *list(prefix: string): AsyncGenerator<readonly StoredObject[], void, undefined> {
    yield* await this.#request("ListObjectsV2", (objects) => all(objects.list(prefix)));
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#request("DeleteObjects", (objects) => objects.delete(keys));
  }

  async #request<Answer>(action: string, perform: (objects: MemoryObjectStore) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#process.send(() => this.#attempt(action, perform));
      if ("answer" in answer) return answer.answer;
      if (attempt === MOST_ATTEMPTS)
        throw new ObjectStoreError(action, new Error(`${answer.fault} (an injected fault)`));
      await setTimeout(this.#access.random.next() * 50 * 2 ** attempt);
    }
  }

  async #attempt<Answer>(
    action: string,
    perform: (objects: MemoryObjectStore) => Promise<Answer>,
  ): Promise<{ readonly answer: Answer } | { readonly fault: string }> {
    const { objects, faults, latency, isUp } = this.#access;
    await latency.pass();
    // The process may have been killed before its request arrived.
    if (!this.#process.isAlive || !isUp()) return { fault: "no connection" };
    const fault = faults.ofRequest(action, undefined);
    if (fault === "timeout") {
      await setTimeout(faults.settings.timeoutMs);
      // The client has given up. Every second such request takes effect after all, when others have followed it.
      if (this.#access.random.chance(0.5)) void this.#late(perform);
    }
    if (fault !== undefined && fault !== "lostResponse") return { fault };
    const answer = await perform(objects);
    await latency.pass();
    return fault === undefined ? { answer } : { fault };
  }

  async #late<Answer>(perform: (objects: MemoryObjectStore) => Promise<Answer>): Promise<void> {
    const { objects, latency, random } = this.#access;
    await setTimeout(random.next() * LATEST_EFFECT_MILLISECONDS);
    await latency.pass();
    await perform(objects);
  }
}
