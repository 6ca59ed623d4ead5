import { ConfigurationError, SourceError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import { pageSizeOption } from "./page-size.ts";
import type { Cursor, Page, ReadContext, Source } from "./source.ts";

type AnyIterable<Item> = Iterable<Item> | AsyncIterable<Item>;

/** Makes a fresh iterable whenever the reading starts. */
export type IterableFactory<Item> = (context: ReadContext) => AnyIterable<Item> | Promise<AnyIterable<Item>>;

export interface ItemsOptions {
  /** Items of a page: 1 to 200, few if they are large: the producer holds two pages. Default 200. */
  readonly pageSize?: number;
}

/**
 * A source over values in memory, or over anything that can be iterated in less than a minute: an array, a `Set`, a
 * generator function.
 *
 * It must give the same items in the same order each time it is iterated. What can be iterated only once, such as a
 * generator or a stream, is refused: give the function that makes it. It is read lazily, one item ahead of the page, and
 * is closed (`iterator.return()`) when the reading stops.
 *
 * **Limit: what is not an array begins at its first item in each slice of the producer**, which is about a minute, and
 * often less, as a slice also ends when the queue is full. The slice iterates over all items that the run has read before,
 * and drops them. The run warns when a slice takes 30 s, and fails when a slice has only dropped items for 60 s. So it does not
 * suit listings of a service, such as the objects of a large S3 bucket, nor rows of a database: give
 * `{ readPage(cursor) }`, with the service's own cursor, which goes on where it stopped. An array has no such limit.
 *
 * @throws {ConfigurationError} It cannot be iterated, or only once; `pageSize` is out of range; an option is unknown.
 * @throws {SourceError} When it is read: a slice dropped items for 60 s (`permanent`), or there are fewer items than the
 * run has read before.
 *
 * @example
 * ```ts
 * source: items(["Amsterdam", "Berlin", "Cairo"]),
 * source: items(async function* () {
 *   for (const region of await regions()) yield* await officesIn(region);
 * }),
 * // Not items(...), but the service's cursor: the objects of an S3 bucket.
 * source: {
 *   async readPage(after, { signal }) {
 *     const command = new ListObjectsV2Command({ Bucket, ...(after && { StartAfter: String(after) }) });
 *     const { Contents = [], IsTruncated } = await client.send(command, { abortSignal: signal });
 *     const keys = Contents.map(({ Key }) => Key);
 *     return { items: keys, next: IsTruncated ? keys.at(-1) : undefined };
 *   },
 * },
 * ```
 */
export function items<Item>(
  iterable: AnyIterable<Item> | IterableFactory<Item>,
  options: ItemsOptions = {},
): Source<Item> {
  rejectUnknownKeys(options, ["pageSize"], "items(...)");
  const pageSize = pageSizeOption(options.pageSize);
  const open = typeof iterable === "function" ? iterable : factoryOf(iterable);
  const used = new WeakSet<object>();

  return {
    async *pages(cursor, context) {
      const skipped = checkCursor(cursor);
      context.signal.throwIfAborted();
      const opened: unknown = await open(context);
      if (Array.isArray(opened)) return yield* slices<Item>(opened, skipped, pageSize, context.signal);

      const iterator = iteratorOf<Item>(opened);
      if (used.has(iterator)) throw new SourceError(`the iterator of items(...) was used before: ${FRESH}`);
      used.add(iterator);
      yield* groups(iterator, skipped, pageSize, context);
    },
  };
}

const FRESH = "give a function that makes a fresh iterable on each call, such as items(() => readRows())";

function factoryOf<Item>(iterable: AnyIterable<Item>): () => AnyIterable<Item> {
  if (!isIterable(iterable)) {
    throw new ConfigurationError(
      `items(...) must get an array, an iterable or a function that makes one, but got ${show(iterable)}: ` +
        "give the values as an array, such as items([1, 2, 3])",
    );
  }
  const once = ["next", "pipe", "getReader"].some((method) => method in iterable);
  if (once)
    throw new ConfigurationError(`items(...) got a generator or a stream, which can be read only once: ${FRESH}`);
  return () => iterable;
}

// A string is iterable too, by its characters, which nobody means.
function isIterable(value: unknown): value is AnyIterable<unknown> {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function iteratorOf<Item>(value: unknown): Iterator<Item> | AsyncIterator<Item> {
  if (!isIterable(value)) {
    throw new SourceError(
      `the function given to items(...) returned ${show(value)}, which cannot be iterated: ${FRESH}`,
    );
  }
  const iterable = value as AnyIterable<Item>;
  return Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
}

function checkCursor(cursor: Cursor | undefined): number {
  if (cursor === undefined) return 0;
  if (typeof cursor === "number" && Number.isSafeInteger(cursor) && cursor > 0) return cursor;
  throw new SourceError(
    `the cursor ${show(cursor)} is not one of items(...), which count items: was the workflow's source replaced? Start a new run`,
  );
}

/** As long as a slice of the producer: one that takes longer to drop what was read before would hardly get further. */
const LONGEST_SKIPPING_MILLISECONDS = 60_000;

/** A slice that takes so long is likely to be followed by another. */
const TO_WARN_OF_MILLISECONDS = 30_000;

const WARNING =
  "items(...) begins at its first item in each slice of the producer, and a slice has taken more than 30 s: the run fails " +
  "when it takes 60 s to pass over the items that it has read before. Use readPage with a cursor for a source of this size";

function tooManyToSkip(passed: number, skipped: number): SourceError {
  const seconds = LONGEST_SKIPPING_MILLISECONDS / 1_000;
  return new SourceError(
    `items(...) begins at its first item in each slice of the producer, and after ${seconds} s it had passed over only ` +
      `${passed} of the ${skipped} items that the run has read before, so the run cannot go on. What was read is not ` +
      "lost. Give the workflow a source that goes on where it stopped, { readPage(cursor) } with the cursor of the " +
      "service, and start a new run",
    { permanent: true },
  );
}

/** A cursor exists only when an item was seen behind it, so there must be one still. */
function shrunk(seen: number, skipped: number): SourceError {
  return new SourceError(
    `items(...) ended after ${seen} items, but a run that had read ${skipped} saw more: ` +
      "it must give the same items in the same order each time it is iterated",
  );
}

async function* slices<Item>(
  array: readonly Item[],
  skipped: number,
  pageSize: number,
  signal: AbortSignal,
): AsyncGenerator<Page<Item>> {
  if (skipped > 0 && skipped >= array.length) throw shrunk(array.length, skipped);
  let count = skipped;
  do {
    signal.throwIfAborted();
    const page = array.slice(count, count + pageSize);
    count += page.length;
    yield count < array.length ? { items: page, next: count } : { items: page };
  } while (count < array.length);
}

async function* groups<Item>(
  iterator: Iterator<Item> | AsyncIterator<Item>,
  skipped: number,
  pageSize: number,
  { signal, warn }: ReadContext,
): AsyncGenerator<Page<Item>> {
  const startedAt = performance.now();
  let state: "idle" | "busy" | "ended" = "idle";
  try {
    let count = 0;
    let page: Item[] = [];
    for (;;) {
      state = "busy";
      const result = await unlessAborted(iterator.next(), signal);
      if (result.done === true) break;
      state = "idle";
      const milliseconds = performance.now() - startedAt;
      if (count + 1 < skipped && milliseconds >= LONGEST_SKIPPING_MILLISECONDS) throw tooManyToSkip(count + 1, skipped);
      if (page.length === pageSize) {
        if (milliseconds >= TO_WARN_OF_MILLISECONDS) warn(WARNING);
        yield { items: page, next: count };
        page = [];
      }
      count += 1;
      if (count > skipped) page.push(result.value);
    }
    state = "ended";
    if (skipped > 0 && count <= skipped) throw shrunk(count, skipped);
    yield { items: page };
  } finally {
    if (state === "idle") await iterator.return?.();
    // Aborted amid next(): a generator answers return() only after it, so that is not awaited.
    if (state === "busy") void Promise.try(() => iterator.return?.()).catch(() => undefined);
  }
}

/** What is awaited, or the reason of the signal if it fires first. */
async function unlessAborted<Value extends object>(value: Value | Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted();
  if (!("then" in value)) return value;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([value, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
