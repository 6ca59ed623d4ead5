import { createHash } from "node:crypto";
import * as z from "zod";
import { SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { WHOLE_SOURCE } from "./partition-limits.ts";
import type { Cursor, Partition } from "./source.ts";

/** An object as a listing has it. */
export interface ListedText {
  readonly key: string;
  readonly etag: string;
  /** In bytes, as it is stored. */
  readonly size: number;
}

/** Bytes of one object: the lines that begin in them. */
export interface Piece extends ListedText {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Several objects: those whose keys are in a range. */
export interface Group {
  /** Absent: from the first key. */
  readonly after?: string | undefined;
  /** Inclusive. Absent: up to the last key. */
  readonly upTo?: string | undefined;
  /** The tags of the objects, in the order of their keys. Absent: all objects of the range, as they are when they are read. */
  readonly tags?: string | undefined;
}

/** Which part of its source a partition of `s3Lines` is. */
export type LinePart = { readonly piece: Piece } | { readonly group: Group };

/** A partition has at least this many bytes of text, so that its own requests and rows in the ledger do not matter. */
export const LEAST_BYTES = 32 * 1_024 * 1_024;
/** The tags of this many objects fit into the cursor of a partition. */
const MOST_OBJECTS = 100;
/** The ledger stores cursors of partitions of up to 2 KiB. */
const LONGEST_CURSOR_BYTES = 2_000;
/** Lengths of a tag, in bytes and in characters of base64. */
const TAG = { ofKey: 4, ofEtag: 2, characters: 8 } as const;

/** A short digest of an object's key and ETag. Equal keys begin with the same 4 bytes. */
export function tagOf({ key, etag }: Pick<ListedText, "key" | "etag">): Buffer {
  const digest = (text: string, bytes: number) => createHash("sha256").update(text).digest().subarray(0, bytes);
  return Buffer.concat([digest(key, TAG.ofKey), digest(etag, TAG.ofEtag)]);
}

/** Whether two tags are of the same key, and whether they are of the same version of its object. */
export const isSameKey = (left: Buffer, right: Buffer): boolean =>
  left.subarray(0, TAG.ofKey).equals(right.subarray(0, TAG.ofKey));

export function tagsOf(text: string): readonly Buffer[] {
  const count = text.length / TAG.characters;
  return Array.from({ length: count }, (_, index) =>
    Buffer.from(text.slice(index * TAG.characters, (index + 1) * TAG.characters), "base64url"),
  );
}

/**
 * Divides objects into parts of about the same number of bytes: large objects into pieces, and small ones into groups. The
 * parts name the versions of the objects, so a run reads exactly what was listed.
 *
 * @param objects In the order of their keys.
 * @param isDivisible Whether an object can be read from any byte.
 * @returns `undefined`: the parts would be too many, or a key is too long for the cursor of a partition.
 */
export function lineParts(
  objects: readonly ListedText[],
  {
    parts,
    isDivisible,
    leastBytes = LEAST_BYTES,
  }: { parts: number; isDivisible: boolean; leastBytes?: number | undefined },
): readonly LinePart[] | undefined {
  const total = objects.reduce((sum, { size }) => sum + size, 0);
  // Each object can leave a small part before it.
  const target = Math.max(leastBytes, Math.ceil(total / parts));
  const found: LinePart[] = [];
  let group: ListedText[] = [];
  let bytes = 0;
  let after: string | undefined;
  const close = () => {
    const last = group.at(-1);
    if (last === undefined) return;
    const tags = group.map((object) => tagOf(object).toString("base64url")).join("");
    found.push({ group: { ...(after !== undefined && { after }), upTo: last.key, tags } });
    after = last.key;
    group = [];
    bytes = 0;
  };
  for (const object of objects) {
    if (isDivisible && object.size > target) {
      close();
      for (const piece of piecesOf(object, target)) found.push({ piece });
      after = object.key;
      continue;
    }
    const isFull = group.length === MOST_OBJECTS || (group.length > 0 && bytes + object.size > target);
    if (isFull) close();
    group.push(object);
    bytes += object.size;
  }
  close();
  return found.length > parts || !found.every(fitsCursor) ? undefined : found;
}

/** Whether the ledger can store the cursor of a part. */
export const fitsCursor = (part: LinePart): boolean => Buffer.byteLength(JSON.stringify(part)) <= LONGEST_CURSOR_BYTES;

/** Pieces of the same length. They begin at even bytes, at which a character of UTF-16 begins. */
export function piecesOf(object: ListedText, target: number): readonly Piece[] {
  const count = Math.ceil(object.size / target);
  const start = (index: number) => (index === count ? object.size : 2 * Math.floor((index * object.size) / count / 2));
  return Array.from({ length: count }, (_, index) => {
    const { key, etag, size } = object;
    return { key, etag, size, from: start(index), to: start(index + 1) };
  });
}

/** The partition of a part. Its name says what it is, in messages about the partition. */
export function linePartition(part: LinePart, index: number): Partition {
  const shown = (key: string) => key.slice(0, 60).replaceAll(/[^ -~]/g, "?");
  const cursor = part as unknown as Cursor;
  if ("piece" in part) {
    const { key, from, to } = part.piece;
    return { id: `${index}: ${shown(key)}, bytes ${from} to ${to}`, cursor };
  }
  const { after, upTo } = part.group;
  const begin = after === undefined ? "from the first key" : `after ${shown(after)}`;
  return { id: `${index}: ${begin} ${upTo === undefined ? "to the last key" : `up to ${shown(upTo)}`}`, cursor };
}

const partSchema = z.union([
  z.strictObject({
    piece: z.strictObject({
      key: z.string().min(1),
      etag: z.string(),
      size: z.int().nonnegative(),
      from: z.int().nonnegative(),
      to: z.int().nonnegative(),
    }),
  }),
  z.strictObject({
    group: z.strictObject({
      after: z.string().min(1).optional(),
      upTo: z.string().min(1).optional(),
      tags: z.string().optional(),
    }),
  }),
]);

/** Whether a cursor is the first one of a partition. */
export const isLinePart = (cursor: Cursor | undefined): boolean => partSchema.safeParse(cursor).success;

/**
 * The part of the source that a partition is. `undefined`: the whole source.
 *
 * @throws {SourceError} The partition is that of another source.
 */
export function linePartOf(partition: Partition | undefined): LinePart | undefined {
  if (partition === undefined || partition.id === WHOLE_SOURCE || partition.cursor === undefined) return undefined;
  const parsed = partSchema.safeParse(partition.cursor);
  if (parsed.success) return parsed.data;
  throw new SourceError(
    `the partition ${show(partition.id)} does not come from s3Lines(...): the workflow's source was probably replaced. Start a ` +
      "new run",
    { permanent: true },
  );
}
