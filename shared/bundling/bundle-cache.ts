import { createHash, hash, randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BundleInputs } from "./bundle-inputs.ts";

/** The files of a bundle, by name. */
export type BundleFiles = Readonly<Record<string, Uint8Array>>;

/** Bundles with the inputs that they were made from. */
export interface CachedBundle {
  readonly inputs: BundleInputs;
  /** Digest of the inputs at the time of the build. */
  readonly digest: string;
  /** The sizes and times of the inputs when they had this digest. While they are the same, the digest need not be computed. */
  readonly fingerprint: string;
  /** By name, the directories of the packages that the bundle imports and does not contain. */
  readonly packages: Readonly<Record<string, string>>;
  readonly files: BundleFiles;
}

/** The first part of an entry. The files follow it in this order. */
interface Header extends Omit<CachedBundle, "files"> {
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** An entry has about 3 MB. */
const MAXIMUM_ENTRIES = 24;

const ENTRY = ".bundle";
const DRAFT = ".draft";

/** A draft of this age was left by a process that was killed while it wrote. */
const STALE_DRAFT_MILLISECONDS = 3_600_000;

const NEWLINE = 0x0a;

/**
 * A directory of bundles. Each entry is one file. It is first written under another name, as a draft, and then renamed,
 * so any number of processes can use the directory at the same time. The first line of an entry is the digest of the
 * rest. A damaged entry is ignored.
 *
 * A cache only saves time. If it cannot be read or written, the bundles are built again.
 *
 * @example
 * const cache = new BundleCache(".cache/bundles");
 * const bundle = cache.read(key);
 */
export class BundleCache {
  readonly #directory: string;
  readonly #maximumEntries: number;

  /** @param maximumEntries How many entries stay. The entry that was used longest ago is removed first. Default 24. */
  constructor(directory: string, maximumEntries = MAXIMUM_ENTRIES) {
    this.#directory = directory;
    this.#maximumEntries = maximumEntries;
  }

  /** Reads an entry; `undefined` if there is none, or if it is damaged. It may be outdated: compare its digest. */
  read(key: string): CachedBundle | undefined {
    const path = this.#pathOf(key);
    try {
      const bundle = decode(readFileSync(path));
      const now = new Date();
      if (bundle !== undefined) utimesSync(path, now, now);
      return bundle;
    } catch {
      return undefined;
    }
  }

  /** Writes an entry in place of an earlier one, and removes entries above the maximum. */
  write(key: string, bundle: CachedBundle): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      this.#replace(this.#pathOf(key), encode(bundle));
      this.#removeOldest();
    } catch {
      // The next start builds again.
    }
  }

  #replace(path: string, content: Uint8Array): void {
    const draft = join(this.#directory, `${randomUUID()}${DRAFT}`);
    try {
      writeFileSync(draft, content, { mode: 0o600 });
      renameSync(draft, path);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  #pathOf(key: string): string {
    return join(this.#directory, key + ENTRY);
  }

  #removeOldest(): void {
    const files = readdirSync(this.#directory).map((name) => {
      const path = join(this.#directory, name);
      // Another process may have removed it.
      return { path, usedAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
    });
    const entries = files.filter(({ path }) => path.endsWith(ENTRY)).sort((a, b) => b.usedAt - a.usedAt);
    const stale = Date.now() - STALE_DRAFT_MILLISECONDS;
    const drafts = files.filter(({ path, usedAt }) => path.endsWith(DRAFT) && usedAt < stale);
    for (const { path } of [...entries.slice(this.#maximumEntries), ...drafts]) rmSync(path, { force: true });
  }
}

function encode({ files, ...others }: CachedBundle): Buffer {
  const header: Header = {
    ...others,
    files: Object.entries(files).map(([name, { byteLength }]) => ({ name, bytes: byteLength })),
  };
  const rest = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...Object.values(files)]);
  return Buffer.concat([Buffer.from(`${hash("sha256", rest)}\n`), rest]);
}

function decode(entry: Buffer): CachedBundle | undefined {
  const headerAt = entry.indexOf(NEWLINE) + 1;
  const rest = entry.subarray(headerAt);
  if (createHash("sha256").update(rest).digest("hex") !== entry.toString("latin1", 0, headerAt - 1)) return undefined;
  const headerEnd = rest.indexOf(NEWLINE);
  const { files: listed, ...others } = JSON.parse(rest.toString("utf8", 0, headerEnd)) as Header;
  const files: Record<string, Uint8Array> = {};
  let start = headerEnd + 1;
  for (const { name, bytes } of listed) {
    files[name] = rest.subarray(start, start + bytes);
    start += bytes;
  }
  return { ...others, files };
}
