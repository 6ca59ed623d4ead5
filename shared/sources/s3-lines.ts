import * as z from "zod";
import { S3Reader } from "../aws/s3-requests.ts";
import { ConfigurationError, SourceError } from "../base/errors.ts";
import { show } from "../base/options.ts";
import { layoutOf } from "./file-layout.ts";
import { type Place, RecordReader } from "./file-records.ts";
import { GunzippedBytes } from "./gunzipped-bytes.ts";
import { type Entry, isTable, PAGE_BYTES, readEntries } from "./line-entries.ts";
import { type CsvOptions, type JsonLinesOptions, type LineSettings, lineSettings } from "./line-options.ts";
import {
  type Group,
  isLinePart,
  type ListedText,
  linePartition,
  linePartOf,
  lineParts,
  type Piece,
} from "./line-partitions.ts";
import { listRanges, rangeParts } from "./line-ranges.ts";
import { lineStartIn } from "./line-start.ts";
import { ListedObjects } from "./listed-objects.ts";
import { ObjectBytes } from "./object-bytes.ts";
import { partitionsOption, WHOLE_SOURCE } from "./partition-limits.ts";
import { regionOption } from "./region-option.ts";
import { type BucketName, bucketAtSynth, bucketNameOf, checkBucketOption, checkKeyText } from "./s3-bucket.ts";
import { listObjects, listRight, S3_FIXES } from "./s3-listing.ts";
import { sampledKeyRanges } from "./s3-partitions.ts";
import { serviceRefusal } from "./service-refusal.ts";
import type { Cursor, Page, Partition, PartitionContext, ReadContext, Source, SourceRight } from "./source.ts";

/** Which objects `s3Lines` reads. */
export interface S3LinesPlace {
  /** The bucket: a general purpose bucket. */
  readonly bucket: BucketName;
  /** The key of the one object to read. Give either `key` or `prefix`. */
  readonly key?: string;
  /** Reads all objects whose keys begin with this text, in the order of the keys. */
  readonly prefix?: string;
  /**
   * How the objects are compressed. `"gzip"` reads each object as a stream from its start: a resumed run decompresses the
   * part again that it has read. Default `"none"`.
   */
  readonly compression?: "none" | "gzip";
  /**
   * The most partitions: 1 to 10,000. Default 1,000. A partition has at least 32 MiB, so most sources have fewer. `1` reads
   * the source as one part.
   */
  readonly partitions?: number;
  /** The region of the bucket. Default: the region of the function, or of your AWS configuration. */
  readonly region?: string;
}

/** Options of `s3Lines`: which objects, and how they hold their items. */
export type S3LinesOptions = S3LinesPlace & (JsonLinesOptions | CsvOptions);

const OWN_KEYS = ["bucket", "key", "prefix", "compression", "partitions", "region"];

/**
 * Makes a source from objects of S3 with one item in each line: JSON Lines or CSV. It reads the formats exactly as
 * `fileLines` does: lines that cannot be read become dead letters, with the same places and messages. Each CSV object has
 * its own header.
 *
 * An object without compression is read in ranges of 4 MiB, so the memory does not depend on its size, and a resumed run
 * continues at the byte where it stopped. An object with gzip is decompressed as a stream. The cursor is then the place in
 * the text, and a slice that continues in the middle decompresses the object again up to there, and reads its bytes from
 * S3 again. The run warns when that takes 30 s, and fails when it takes 60 s.
 *
 * **Partitions.** Several producers read parts of the source at the same time: large objects without compression in pieces
 * that begin at a line, and small objects in groups. A CSV object is only read in pieces with `quote: false`, because
 * otherwise a quoted field can have line ends.
 *
 * **Changes.** Each request asks for the ETag that the object had when the run listed it. If the object has changed, the run
 * fails, so a run never mixes two versions.
 *
 * **Rights.** The producer of a deployed workflow gets `s3:GetObject` on the key, or on the keys with the prefix. With
 * `prefix`, it also gets `s3:ListBucket` for exactly this prefix. If the objects are encrypted with a KMS key of yours,
 * add `kms:Decrypt` in `permissions`.
 *
 * **Limits.** S3 answers up to 5,500 requests a second for each prefix.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
 *
 * @throws {ConfigurationError} An option is unknown or invalid, or not exactly one of `key` and `prefix` is given.
 * @throws {SourceError} While the source is read: an object is missing, archived, changed or damaged, or has another
 *   encoding, or the credentials may not read it.
 * @example
 * ```ts
 * source: s3Lines({ bucket: "exports", key: "customers.jsonl", format: "jsonl" }),
 * source: s3Lines({ bucket: "exports", prefix: "orders/2026/", format: "csv", compression: "gzip", delimiter: ";" }),
 * ```
 */
export function s3Lines(options: S3LinesPlace & CsvOptions): Source<Record<string, string>>;
/** Makes a source from JSON Lines in S3. See the overload for CSV, which describes both formats. */
export function s3Lines<Item = unknown>(options: S3LinesPlace & JsonLinesOptions): Source<Item>;
export function s3Lines(options: S3LinesOptions): Source {
  return s3LinesWith(options, { now: () => performance.now() });
}

/** `s3Lines` with a clock, and with small partitions and few listings, for tests. */
export function s3LinesWith(
  options: S3LinesOptions,
  {
    now,
    leastBytes,
    mostListings,
  }: { readonly now: () => number } & Partial<Pick<LineDivision, "leastBytes" | "mostListings">>,
): Source {
  const settings = lineSettings(options, "s3Lines", OWN_KEYS);
  const { bucket, key, prefix, compression = "none", format } = options;
  checkBucketOption(bucket);
  checkPlace(key, prefix);
  if (compression !== "none" && compression !== "gzip") {
    throw new ConfigurationError(`compression must be "none" or "gzip", but is ${show(compression)}`);
  }
  const parts = partitionsOption(options.partitions, LINE_PARTITIONS);
  const reader = new S3Reader(regionOption(options.region));
  const walkIn = (context: ReadContext): Walk => {
    return { reader, bucket: bucketNameOf(bucket, process.env), settings, compression, now, context };
  };
  // A line begins after each line end, unless it is inside quotes.
  const isDivisible = compression === "none" && settings.format.quote === undefined;
  return {
    ...settings.fieldsFrom,
    rights: (environment) => rightsOf(bucketAtSynth(bucket, environment), key, prefix),
    ...(parts > 1 &&
      (isDivisible || key === undefined) && {
        partitions: async (context: PartitionContext) => {
          const walk = walkIn(context);
          const division = { parts, isDivisible, leastBytes, mostListings };
          return key === undefined
            ? await partitionsBelow(walk, prefix ?? "", division)
            : await partitionsOfObject(walk, key, division);
        },
      }),
    async *pages(cursor, context) {
      const walk = walkIn(context);
      const part = linePartOf(context.partition);
      const start = cursor === undefined || isLinePart(cursor) ? undefined : readCursor(cursor);
      const texts =
        part !== undefined && "piece" in part
          ? textOfPiece(walk, part.piece, start)
          : key === undefined
            ? textsBelow(walk, prefix ?? "", start, part?.group)
            : textAt(walk, key, start);
      const isOne = key !== undefined && part === undefined;
      yield* pagesOf(texts, walk, { isStart: cursor === undefined, isOne, format });
    },
  };
}

/** Without the option, a source of lines has at most this many partitions. */
const LINE_PARTITIONS = 1_000;
/** How many responses are listed to find the objects. If there are more, ranges of keys divide the source. */
const MOST_LISTINGS = 100;

interface LineDivision {
  readonly parts: number;
  readonly isDivisible: boolean;
  readonly leastBytes?: number | undefined;
  readonly mostListings?: number | undefined;
}

/** The partitions of the objects below a prefix. One part is no division: it is read as a source without partitions is. */
async function partitionsBelow(walk: Walk, prefix: string, division: LineDivision): Promise<readonly Partition[]> {
  const { reader, bucket, context } = walk;
  const listed: ListedText[] = [];
  let responses = 0;
  let isAll = false;
  for await (const { objects, isLast } of listObjects(reader, { bucket, prefix, part: {} })(context)) {
    listed.push(...objects.map(({ key, etag, size }) => ({ key, etag, size })));
    isAll = isLast;
    responses += 1;
    if (responses === (division.mostListings ?? MOST_LISTINGS)) break;
  }
  const parts = isAll ? lineParts(listed, division) : undefined;
  if (parts !== undefined) return parts.length > 1 ? parts.map(linePartition) : [{ id: WHOLE_SOURCE }];
  const { isDivisible, leastBytes } = division;
  // Half of the partitions are for pieces of large objects.
  const most = isDivisible ? Math.ceil(division.parts / 2) : division.parts;
  const { signal } = context;
  const ranges = await sampledKeyRanges(reader, { bucket, prefix, part: {} }, most, signal);
  if (!isDivisible) return ranges.map((group, index) => linePartition({ group }, index));
  const found = await listRanges(reader, { bucket, prefix }, ranges, { signal, leastBytes });
  return rangeParts(found, { parts: division.parts, leastBytes }).map(linePartition);
}

/** The partitions of one object. */
async function partitionsOfObject(walk: Walk, key: string, division: LineDivision): Promise<readonly Partition[]> {
  const object = await headOf(walk, key);
  const parts = lineParts([{ key, ...object }], division) ?? [];
  return parts.length > 1 ? parts.map(linePartition) : [{ id: WHOLE_SOURCE }];
}

function checkPlace(key: string | undefined, prefix: string | undefined): void {
  if ((key === undefined) === (prefix === undefined)) {
    throw new ConfigurationError(
      `s3Lines(...) needs either key or prefix, but has ${key === undefined ? "neither" : "both"}: write key for one ` +
        'object, or prefix for all objects below it ("" for the whole bucket)',
    );
  }
  checkKeyText(key === undefined ? "prefix" : "key", key ?? prefix);
  if (key === "") throw new ConfigurationError('key must name an object, but is "": write "exports/customers.jsonl"');
}

function rightsOf(bucket: string, key: string | undefined, prefix = ""): readonly SourceRight[] {
  const objects = (name: string) => [{ service: "s3", region: "", account: "", resource: `${bucket}/${name}` }];
  if (key !== undefined) return [{ actions: ["s3:GetObject"], resources: objects(literal(key)) }];
  const reason = "The source reads all objects of the bucket whose keys begin with its prefix.";
  return [listRight(bucket, prefix), { actions: ["s3:GetObject"], resources: objects(`${literal(prefix)}*`), reason }];
}

/**
 * A text in an ARN in which no character has a meaning.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
 */
const literal = (text: string): string => text.replaceAll(/[*?$]/g, (character) => `\${${character}}`);

/** What reading needs everywhere. */
interface Walk {
  readonly reader: S3Reader;
  readonly bucket: string;
  readonly settings: LineSettings;
  readonly compression: "none" | "gzip";
  readonly now: () => number;
  readonly context: ReadContext;
}

/** One object, and where its reading starts. */
interface Text {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
  /** Absent: at its first item. */
  readonly place?: Place | undefined;
  /** Which lines to read: those that begin in these bytes. Absent: all. */
  readonly piece?: Pick<Piece, "from" | "to"> | undefined;
  readonly bytes: ObjectBytes;
}

const cursorSchema = z.union([
  /** The next item is the first one of the objects after this key. */
  z.strictObject({ after: z.string() }),
  z.strictObject({
    key: z.string().min(1),
    etag: z.string(),
    /** In bytes, as it is stored. */
    size: z.int().nonnegative(),
    /** Where the next item starts in the text. */
    byte: z.int().nonnegative(),
    line: z.int().positive(),
  }),
]);
type Start = z.infer<typeof cursorSchema>;

function readCursor(cursor: Cursor): Start {
  const parsed = cursorSchema.safeParse(cursor);
  if (parsed.success) return parsed.data;
  throw new SourceError(
    `the cursor ${show(cursor)} does not come from s3Lines(...): the workflow's source was probably replaced. Start a new run`,
  );
}

/** Objects up to this size are requested ahead, so that many small objects do not wait for each other. */
const SMALL_BYTES = 256 * 1_024;
const READ_AHEAD = 8;

/** The texts of the objects below a prefix, or of a group of them, in the order of their keys. */
async function* textsBelow(
  walk: Walk,
  prefix: string,
  start: Start | undefined,
  group: Group | undefined,
): AsyncGenerator<Text> {
  if (start !== undefined && "key" in start) yield textOf(walk, start, { place: start });
  const before = start === undefined ? undefined : "key" in start ? start.key : start.after;
  const after = before ?? group?.after;
  const part = { ...(after !== undefined && { after }), ...(group?.upTo !== undefined && { upTo: group.upTo }) };
  const { reader, bucket, context } = walk;
  const listed =
    group?.tags === undefined ? undefined : new ListedObjects(group.tags, before, `s3://${bucket}/${prefix}`);
  let any = start !== undefined || group !== undefined;
  for await (const { objects } of listObjects(reader, { bucket, prefix, part })(context)) {
    any ||= objects.length > 0;
    const wanted = listed === undefined ? objects : objects.filter((object) => listed.has(object));
    const texts = wanted.map((object) => textOf(walk, object));
    for (let text = texts.shift(); text !== undefined; text = texts.shift()) {
      for (const each of [text, ...texts.slice(0, READ_AHEAD - 1)]) if (each.size <= SMALL_BYTES) each.bytes.prefetch();
      yield text;
    }
  }
  listed?.end();
  if (!any) context.warn(`no object of the bucket ${bucket} has a key that begins with ${show(prefix)}`);
}

/** The text of a piece of an object. */
async function* textOfPiece(walk: Walk, piece: Piece, start: Start | undefined): AsyncGenerator<Text> {
  if (start !== undefined && (!("key" in start) || start.key !== piece.key || start.etag !== piece.etag)) {
    throw wrongKey(start, piece.key);
  }
  yield textOf(walk, piece, { piece, place: start });
}

/** The text of one object. */
async function* textAt(walk: Walk, key: string, start: Start | undefined): AsyncGenerator<Text> {
  if (start !== undefined) {
    if ("after" in start || start.key !== key) throw wrongKey(start, key);
    return yield textOf(walk, start, { place: start });
  }
  yield textOf(walk, { key, ...(await headOf(walk, key)) });
}

const wrongKey = (start: Start, key: string): SourceError =>
  new SourceError(
    `the cursor ${show(start)} does not belong to the key ${show(key)}: the workflow's source was probably replaced. ` +
      "Start a new run",
  );

/** The size and the ETag of an object. */
async function headOf(walk: Walk, key: string) {
  const { reader, bucket, context } = walk;
  return await reader.head(bucket, key, context.signal).catch((thrown) => {
    throw readFailure(thrown, walk, key, MISSING);
  });
}

function textOf(
  walk: Walk,
  { key, etag, size }: ListedText,
  { place, piece }: { readonly place?: Place | undefined; readonly piece?: Text["piece"] } = {},
): Text {
  const { reader, bucket, context } = walk;
  const read = (start: number, end: number) =>
    reader.read({ bucket, key, etag }, start, end, context.signal).catch((thrown) => {
      throw readFailure(thrown, walk, key);
    });
  const isFar = (place?.byte ?? piece?.from ?? 0) >= SMALL_BYTES && walk.compression === "none";
  return { key, etag, size, place, piece, bytes: new ObjectBytes(size, read, { headOnly: isFar, end: piece?.to }) };
}

/** What an object says when it is opened and has no items. */
interface OpenText {
  readonly name: string;
  readonly withoutItems: string;
}

/** Reads the items of one object. */
async function* entriesOf(walk: Walk, text: Text, opened: (text: OpenText) => void): AsyncGenerator<Entry, void, void> {
  const { bucket, compression, context, now } = walk;
  const { format, encoding, limit } = walk.settings;
  if (text.size === 0) return;
  const name = `s3://${bucket}/${text.key}`;
  const gunzipped =
    compression === "gzip" ? new GunzippedBytes(text.bytes, { name, now, warn: context.warn }) : undefined;
  const file = gunzipped ?? text.bytes;
  try {
    const gzipFix = compression === "gzip" ? "it is compressed twice" : 'set compression: "gzip"';
    const layout = await layoutOf(file, name, { encoding, ...format, gzipFix });
    const { size, lineEnd } = layout;
    const quotes = format.quotes(layout);
    const readFrom = (place: Place) => new RecordReader(file, { place, size, limit, encoding, lineEnd, quotes });
    const first = readFrom(layout.start);
    const { decode, withoutItems } = await format.open(first, name, layout);
    opened({ name, withoutItems });
    const { piece } = text;
    const isInside = piece !== undefined && piece.from > first.place.byte;
    let start: Place | undefined;
    if (text.place !== undefined) start = { byte: text.place.byte, line: text.place.line };
    else if (isInside) {
      const byte = await lineStartIn(file, piece, layout);
      if (byte === undefined) return;
      start = { byte, line: 1 };
    }
    const reader = start === undefined ? first : readFrom(start);
    const entries = readEntries(reader, { format, decode, name, limit, encoding, countsLines: !isInside });
    for await (const entry of entries) {
      if (piece !== undefined && entry.place.byte >= piece.to) return;
      yield entry;
    }
  } finally {
    gunzipped?.close();
  }
}

/** Where a run begins, and what it reads, as far as the warnings depend on it. */
interface Beginning {
  readonly isStart: boolean;
  readonly isOne: boolean;
  readonly format: "jsonl" | "csv";
}

/**
 * A page ends after this many objects, so that many objects without items do not keep a slice from its checkpoints. The
 * pages after a cursor depend on the cursor alone, and not on where the listing began.
 */
const MOST_OBJECTS_OF_PAGE = 1_000;

async function* pagesOf(
  texts: AsyncIterable<Text>,
  walk: Walk,
  { isStart, isOne, format }: Beginning,
): AsyncGenerator<Page> {
  const { pageSize } = walk.settings;
  const { signal, warn } = walk.context;
  let items: unknown[] = [];
  let bytes = 0;
  let count = 0;
  /** How many objects were read to their ends since the cursor of the page. */
  let objects = 0;
  let only: OpenText | undefined;
  for await (const text of texts) {
    const { key, etag, size } = text;
    for await (const entry of entriesOf(walk, text, (opened) => {
      only = opened;
    })) {
      signal.throwIfAborted();
      if (items.length === pageSize || bytes >= PAGE_BYTES) {
        yield { items, next: { key, etag, size, ...entry.place } };
        items = [];
        bytes = 0;
        objects = 0;
      }
      items.push(entry.item);
      count += 1;
      bytes += entry.bytes;
    }
    objects += 1;
    if (objects < MOST_OBJECTS_OF_PAGE) continue;
    yield { items, next: { after: key } };
    items = [];
    bytes = 0;
    objects = 0;
  }
  const [item] = items;
  if (isStart && isOne && only !== undefined && count === 0) warn(`${only.name} ${only.withoutItems}`);
  if (isStart && isOne && only !== undefined && count === 1 && isTable(item, { format })) {
    warn(
      `${only.name} has one line, a list of ${item.length}, which counts as one item: JSON Lines has one item in each line`,
    );
  }
  yield { items };
}

const MISSING = { NotFound: "Correct the option key", NoSuchKey: "Correct the option key" };

function readFailure(thrown: unknown, { bucket, context }: Walk, key: string, fixes = {}): unknown {
  const { name } = Object(thrown) as { readonly name?: unknown };
  const object = `s3://${bucket}/${key}`;
  if (context.signal.aborted) return context.signal.reason;
  if (name === "PreconditionFailed") {
    return new SourceError(
      `${object} changed while a run was reading it (it has another ETag): restore the object, or start a new run`,
      { cause: thrown },
    );
  }
  if (name === "NoSuchKey" && !("NoSuchKey" in fixes)) {
    return new SourceError(`${object} was deleted while a run was reading it: restore the object, or start a new run`, {
      cause: thrown,
    });
  }
  return serviceRefusal(thrown, {
    action: `read ${object}`,
    right: `s3:GetObject on arn:aws:s3:::${bucket}/${key}. If they may not list the bucket, S3 also denies access to an object that does not exist`,
    signal: context.signal,
    fixes: {
      ...S3_FIXES,
      ...fixes,
      InvalidObjectState: "The object is archived: restore it, or leave it out",
    },
  });
}
