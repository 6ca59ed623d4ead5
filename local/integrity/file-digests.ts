import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** The size of a file in bytes, and the CRC-32 of its content. */
export interface FileDigest {
  readonly size: number;
  readonly crc: number;
}

/** The digests of files, by their paths in a directory. */
export type FileDigests = Readonly<Record<string, FileDigest>>;

const CHUNK_BYTES = 1_048_576;

/** The digest of a file. `undefined` if it does not exist. */
export function digestOf(file: string): FileDigest | undefined {
  if (!existsSync(file)) return undefined;
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, size)));
    let crc = 0;
    for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
      crc = crc32(chunk.subarray(0, read), crc);
    }
    return { size, crc };
  } finally {
    closeSync(descriptor);
  }
}

/** The digests of a file and of the files of a folder, both in `directory`. LevelDB's lock and its own log are left out. */
export function digestsOf(directory: string, file: string, folder: string): FileDigests {
  const inFolder = existsSync(join(directory, folder)) ? readdirSync(join(directory, folder)) : [];
  const names = [file, ...inFolder.filter((name) => !/^LO(CK|G)/.test(name)).map((name) => `${folder}/${name}`)];
  return Object.fromEntries(
    names.flatMap((name) => {
      const digest = digestOf(join(directory, name));
      return digest === undefined ? [] : [[name, digest]];
    }),
  );
}

/** A damaged file, and what is wrong with it. */
export interface Damage {
  readonly file: string;
  readonly what: string;
}

/**
 * Compares files with their digests.
 *
 * @param mayBeGone Whether a file may have been deleted since.
 */
export function findChangedFile(
  directory: string,
  digests: FileDigests,
  { mayBeGone }: { readonly mayBeGone: boolean },
): Damage | undefined {
  for (const [name, { size, crc }] of Object.entries(digests)) {
    const file = join(directory, name);
    const now = digestOf(file);
    if (now === undefined) {
      if (mayBeGone) continue;
      return { file, what: `it is missing, and had ${size} bytes when it was closed` };
    }
    if (now.size !== size) return { file, what: `it has ${now.size} bytes, and had ${size} when it was closed` };
    if (now.crc !== crc) return { file, what: "its content is not the one that was written" };
  }
  return undefined;
}
