import { createHash } from "node:crypto";
import type { ObjectStore } from "../aws/object-store.ts";
import type { IncludedField } from "../definition/results-options.ts";
import { CsvRows } from "./csv-columns.ts";
import type { Manifest, Part } from "./manifest.ts";
import { csvPrefix } from "./object-keys.ts";
import { linesOf } from "./part-rows.ts";
import { TextBuffer } from "./text-buffer.ts";

const CHUNK_BYTES = 1 << 20;
const DIGEST_DIGITS = 8;

/** The key of a note that a CSV part is complete. */
const NOTE = /^(.+\.csv)\.(\d+)-([0-9a-f]{64})\.done$/;

/** The columns of all CSV parts of a manifest. */
export interface CsvLayout {
  readonly include: readonly IncludedField[];
  readonly columns: readonly string[];
}

type CsvPart = NonNullable<Part["csv"]>;

/** Writes the parts of a manifest as CSV, once each. */
export class CsvParts {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #layout: CsvLayout;
  /** The CSV parts that exist, by the keys of their parts. */
  readonly #known: ReadonlyMap<string, CsvPart>;
  readonly #finished: ReadonlyMap<string, CsvPart>;

  private constructor(
    store: ObjectStore,
    names: { readonly prefix: string; readonly suffix: string },
    layout: CsvLayout,
    known: ReadonlyMap<string, CsvPart>,
    finished: ReadonlyMap<string, CsvPart>,
  ) {
    this.#store = store;
    this.#prefix = names.prefix;
    this.#suffix = names.suffix;
    this.#layout = layout;
    this.#known = known;
    this.#finished = finished;
  }

  /**
   * Finds out which parts are written already.
   *
   * @param version The version of the manifest that will name the parts.
   * @param before The manifest before it. Its parts are used again if they have the same header.
   */
  static async open(
    store: ObjectStore,
    run: string,
    version: number,
    layout: CsvLayout,
    before: Manifest | undefined,
  ): Promise<CsvParts> {
    const header = new CsvRows(layout.include, layout.columns).headerLine;
    const digest = createHash("sha256").update(header).digest("hex").slice(0, DIGEST_DIGITS);
    const known = new Map<string, CsvPart>();
    for (const { key, csv } of (before?.blocks ?? []).flatMap(({ parts }) => parts)) {
      if (csv?.key.endsWith(`-${digest}.csv`) === true) known.set(key, csv);
    }
    const names = { prefix: csvPrefix(run), suffix: `-${version}-${digest}.csv` };
    const finished = new Map<string, CsvPart>();
    for await (const page of store.list(names.prefix)) {
      for (const note of page) {
        const [, key, bytes, sha256] = NOTE.exec(note.key) ?? [];
        if (key !== undefined && sha256 !== undefined) finished.set(key, { key, bytes: Number(bytes), sha256 });
      }
    }
    return new CsvParts(store, names, layout, known, finished);
  }

  /** Returns a part as CSV. It writes the part if it does not exist. */
  async of(part: Pick<Part, "key">): Promise<{ readonly csv: CsvPart; readonly isNew: boolean }> {
    const name = part.key.slice(part.key.lastIndexOf("/") + 1).replace(/\.jsonl$/, "");
    const key = `${this.#prefix}${name}${this.#suffix}`;
    const found = this.#known.get(part.key) ?? this.#finished.get(key);
    return found === undefined ? { csv: await this.#write(part, key), isNew: true } : { csv: found, isNew: false };
  }

  async #write(part: Pick<Part, "key">, key: string): Promise<CsvPart> {
    const store = this.#store;
    const rows = new CsvRows(this.#layout.include, this.#layout.columns);
    const hash = createHash("sha256");
    let bytes = 0;
    async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
      const text = new TextBuffer();
      text.add(rows.headerLine);
      const flush = (): Buffer => {
        const chunk = text.take();
        hash.update(chunk);
        bytes += chunk.length;
        return chunk;
      };
      for await (const line of linesOf(store.stream(part.key))) {
        text.add(rows.line(line));
        if (text.length >= CHUNK_BYTES) yield flush();
      }
      yield flush();
    }
    await store.putStream(key, chunks());
    const sha256 = hash.digest("hex");
    // The name of this empty object tells the next slice that the part is complete. The clean-up deletes it.
    await store.put(`${key}.${bytes}-${sha256}.done`, Buffer.from(""));
    return { key, bytes, sha256 };
  }
}
