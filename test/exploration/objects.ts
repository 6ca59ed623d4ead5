import { ObjectMissingError, type ObjectStore, type StoredObject } from "../../shared/aws/object-store.ts";
import type { Row } from "../../shared/aws/table.ts";
import type { Actor } from "./operation.ts";

/** The row that stands for the object store: each attribute is an object. So each access to the store is one step. */
export const OBJECTS_KEY = { pk: "objects", sk: "objects" } as const;

const OF_THE_ROW = new Set(["pk", "sk", "expiresAt"]);

/** The objects in the row. */
export const objectsIn = (row: Row | undefined): ReadonlyMap<string, string> =>
  new Map(Object.entries(row ?? {}).flatMap(([key, text]) => (OF_THE_ROW.has(key) ? [] : [[key, String(text)]])));

const textOf = (body: Uint8Array): string => Buffer.from(body).toString();

/** An object store whose every access is a step of its own. */
export function objectStoreOf({ perform }: Actor): ObjectStore {
  const row = async () => (await perform({ type: "read", key: OBJECTS_KEY })) as Row | undefined;
  /** Looks at one object only, so other objects make no other state. */
  const read = async (key: string) => (await row())?.[key]?.toString();
  const write = async (key: string, text: string, isConditional: boolean) => {
    const when = isConditional ? { when: [{ absent: key }] } : {};
    const update = { set: { [key]: text }, ...when };
    return ((await perform({ type: "update", key: OBJECTS_KEY, update })) as Row | undefined) !== undefined;
  };
  return {
    url: "memory:explored",
    put: async (key, body) => void (await write(key, textOf(body), false)),
    putIfAbsent: (key, body) => write(key, textOf(body), true),
    async putStream(key, chunks) {
      let text = "";
      for await (const chunk of chunks) text += textOf(chunk);
      await write(key, text, false);
    },
    async get(key) {
      const text = await read(key);
      return text === undefined ? undefined : Buffer.from(text);
    },
    async getRange(key, start, end) {
      const text = await read(key);
      return text === undefined ? undefined : Buffer.from(text).subarray(start, end);
    },
    async *stream(key) {
      const text = await read(key);
      if (text === undefined) throw new ObjectMissingError("memory:explored", key);
      yield Buffer.from(text);
    },
    async *list(prefix): AsyncGenerator<readonly StoredObject[]> {
      const found = [...objectsIn(await row())]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      if (found.length > 0) yield found.map(([key, text]) => ({ key, size: Buffer.byteLength(text) }));
    },
    async delete(keys) {
      await perform({ type: "update", key: OBJECTS_KEY, update: { remove: [...keys] } });
    },
  };
}
