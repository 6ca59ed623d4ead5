import { existsSync, readFileSync } from "node:fs";
import { endianness } from "node:os";
import type { Damage } from "./file-digests.ts";

// The layout of both files: https://www.sqlite.org/walformat.html

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The magic number of a log whose checksums read big-endian words. */
const BIG_ENDIAN_MAGIC = 0x377f0683;
const LITTLE_ENDIAN_MAGIC = 0x377f0682;

/** Where the header of the index has the number of the last committed frame, the salts, and the frames written back. */
const INDEX = { isInitialised: 12, lastFrame: 16, salts: 32, copy: 48, writtenBack: 96, bytes: 136 } as const;

/**
 * Finds commits of a SQLite database that were acknowledged and are lost, after its process was killed. SQLite itself
 * silently ignores everything in its log (`-wal`) from the first damaged frame on.
 *
 * The index of the log (`-shm`) is memory that the killed process shared with the file system. It tells how many frames
 * were committed. Frames after these were never acknowledged, so a torn frame at the end is no damage.
 *
 * Call it before the database is opened, because SQLite writes the index anew.
 */
export function findLostCommits(database: string): Damage | undefined {
  const log = `${database}-wal`;
  const index = readIfThere(`${database}-shm`);
  if (index === undefined || index.length < INDEX.bytes || index[INDEX.isInitialised] !== 1) return undefined;
  // The header has a copy. They differ if the process was killed while it wrote them, in the middle of a commit.
  if (!index.subarray(0, INDEX.copy).equals(index.subarray(INDEX.copy, 2 * INDEX.copy))) return undefined;
  const read = (offset: number) => (endianness() === "LE" ? index.readUInt32LE(offset) : index.readUInt32BE(offset));
  const committed = read(INDEX.lastFrame);
  const writtenBack = read(INDEX.writtenBack);
  if (committed === 0) return undefined;
  const content = readIfThere(log) ?? Buffer.alloc(0);
  if (content.length === 0) {
    if (writtenBack >= committed) return undefined;
    return {
      file: log,
      what: `it is missing or empty, and held ${committed - writtenBack} pages of acknowledged writes`,
    };
  }
  const header = readHeader(content);
  if (header === undefined) return { file: log, what: "its header is damaged" };
  // The log was begun anew, which SQLite does only after it has written everything back to the database.
  if (!content.subarray(16, 24).equals(index.subarray(INDEX.salts, INDEX.salts + 8))) return undefined;
  const intact = countIntactFrames(content, header, committed);
  if (intact >= committed) return undefined;
  return { file: log, what: `${committed} pages of acknowledged writes were in it, and only ${intact} are intact` };
}

function readIfThere(file: string): Buffer | undefined {
  return existsSync(file) ? readFileSync(file) : undefined;
}

interface Header {
  readonly pageBytes: number;
  readonly isBigEndian: boolean;
  readonly checksum: Checksum;
}

type Checksum = readonly [number, number];

function readHeader(content: Buffer): Header | undefined {
  if (content.length < WAL_HEADER_BYTES) return undefined;
  const magic = content.readUInt32BE(0);
  if (magic !== BIG_ENDIAN_MAGIC && magic !== LITTLE_ENDIAN_MAGIC) return undefined;
  const isBigEndian = magic === BIG_ENDIAN_MAGIC;
  const checksum = addTo([0, 0], content, 0, 24, isBigEndian);
  if (!isAt(content, 24, checksum)) return undefined;
  return { pageBytes: content.readUInt32BE(8), isBigEndian, checksum };
}

/** How many of the first `count` frames are as they were written. The checksum of each frame covers all before it. */
function countIntactFrames(content: Buffer, { pageBytes, isBigEndian, checksum }: Header, count: number): number {
  const salts = content.subarray(16, 24);
  let sum = checksum;
  for (let frame = 0; frame < count; frame++) {
    const at = WAL_HEADER_BYTES + frame * (FRAME_HEADER_BYTES + pageBytes);
    const end = at + FRAME_HEADER_BYTES + pageBytes;
    if (end > content.length || !content.subarray(at + 8, at + 16).equals(salts)) return frame;
    sum = addTo(sum, content, at, at + 8, isBigEndian);
    sum = addTo(sum, content, at + FRAME_HEADER_BYTES, end, isBigEndian);
    if (!isAt(content, at + 16, sum)) return frame;
  }
  return count;
}

const isAt = (content: Buffer, at: number, [first, second]: Checksum): boolean =>
  content.readUInt32BE(at) === first && content.readUInt32BE(at + 4) === second;

function addTo([s0, s1]: Checksum, content: Buffer, from: number, to: number, isBigEndian: boolean): Checksum {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  let first = s0;
  let second = s1;
  for (let at = from; at < to; at += 8) {
    first = (first + view.getUint32(at, !isBigEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, !isBigEndian) + first) >>> 0;
  }
  return [first, second];
}
