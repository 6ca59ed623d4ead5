import { ConfigurationError, SourceError } from "../base/errors.ts";
import { rejectUnknownKeys, show } from "../base/options.ts";
import { pageSizeOption } from "./page-size.ts";
import type { Cursor, Page, ReadContext, Source } from "./source.ts";

type AnyIterable<Item> = Iterable<Item> | AsyncIterable<Item>;

/**
 * A function that makes a new iterable. Sluice calls it each time it starts to read the source.
 *
 * @example `async function* () { yield* await regions(); }`
 */
export type IterableFactory<Item> = (context: ReadContext) => AnyIterable<Item> | Promise<AnyIterable<Item>>;

/** Options of `items`. */
export interface ItemsOptions {
  /**
   * Number of items in a page: 1 to 200. Default 200. Choose fewer if the items are large, because the producer holds
   * two pages in memory.
   */
  readonly pageSize?: number;
}

/**
 * Makes a source from values in memory, or from anything that can be iterated in less than a minute: an array, a `Set`,
 * a generator function.
 *
 * The iterable must give the same items in the same order each time it is iterated. A generator or a stream is refused,
 * because it can be iterated only once. Pass the function that makes the generator or the stream instead. Sluice reads
 * the iterable lazily, one item ahead of the page, and closes it (`iterator.return()`) when reading stops.
 *
 * **Limit: only an array continues where it stopped.** A run reads its source in slices of about a minute, and often
 * less, because a slice also ends when the queue is full. For any other iterable, each slice starts at the first item,
 * and drops the items that the run has read before. The run warns when a slice takes 30 s. The run fails when a slice
 * has spent 60 s on dropping items. So `items` does not suit listings of a service or rows of a database.
 * For these, use the source for the service, such as `s3Objects`, or write `{ readPage(cursor) }` with the service's own
 * cursor, which continues where it stopped.
 *
 * @throws {ConfigurationError} The value cannot be iterated, or can be iterated only once; `pageSize` is out of range;
 *   an option is unknown.
 * @throws {SourceError} While the source is read: a slice spent 60 s on dropping items (`permanent`), or the iterable
 *   has fewer items than the run has read before.
 *
 * @example
 * ```ts
 * source: items(["Amsterdam", "Berlin", "Cairo"]),
 * source: items(async function* () {
 *   for (const region of await regions()) yield* await officesIn(region);
 * }),
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
    ...(Array.isArray(iterable) && { size: () => ({ items: iterable.length, isExact: true }) }),
    async *pages(cursor, context) {
      const skipped = checkCursor(cursor);
      context.signal.throwIfAborted();
      const opened: unknown = await open(context);
      if (Array.isArray(opened)) return yield* pagesOfArray<Item>(opened, skipped, pageSize, context.signal);

      const iterator = iteratorOf<Item>(opened);
      if (used.has(iterator)) throw new SourceError(`the iterator of items(...) was used before: ${PASS_A_FUNCTION}`);
      used.add(iterator);
      yield* pagesOfIterator(iterator, skipped, pageSize, context);
    },
  };
}

const PASS_A_FUNCTION = "pass a function that makes a new iterable on each call, such as items(() => readRows())";

function factoryOf<Item>(iterable: AnyIterable<Item>): () => AnyIterable<Item> {
  if (!isIterable(iterable)) {
    throw new ConfigurationError(
      `items(...) needs an array, an iterable or a function that makes an iterable, but got ${show(iterable)}: ` +
        "pass the values as an array, such as items([1, 2, 3])",
    );
  }
  const once = ["next", "pipe", "getReader"].some((method) => method in iterable);
  if (once)
    throw new ConfigurationError(
      `items(...) got a generator or a stream, which can be read only once: ${PASS_A_FUNCTION}`,
    );
  return () => iterable;
}

// A string is refused. Iterating over it yields its characters, which is never what the user wants.
function isIterable(value: unknown): value is AnyIterable<unknown> {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function iteratorOf<Item>(value: unknown): Iterator<Item> | AsyncIterator<Item> {
  if (!isIterable(value)) {
    throw new SourceError(
      `the function given to items(...) returned ${show(value)}, which cannot be iterated: ${PASS_A_FUNCTION}`,
    );
  }
  const iterable = value as AnyIterable<Item>;
  return Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
}

function checkCursor(cursor: Cursor | undefined): number {
  if (cursor === undefined) return 0;
  if (typeof cursor === "number" && Number.isSafeInteger(cursor) && cursor > 0) return cursor;
  throw new SourceError(
    `the cursor ${show(cursor)} does not come from items(...), whose cursors count items: the workflow's source was ` +
      "probably replaced. Start a new run",
  );
}

/**
 * The longest time for which a slice may drop items. A slice of the producer lasts this long, so a slice that only
 * drops items makes no progress.
 */
const LONGEST_SKIPPING_MILLISECONDS = 60_000;

/** If a slice takes this long, the run warns, because the run will probably need another slice. */
const WARNING_MILLISECONDS = 30_000;

const WARNING =
  "items(...) starts at its first item in each slice of the producer, and a slice has taken more than 30 s. The run fails " +
  "when a slice needs 60 s to skip the items that the run has read before. Use readPage with a cursor for a source of this size";

function tooManyToSkip(passed: number, skipped: number): SourceError {
  const seconds = LONGEST_SKIPPING_MILLISECONDS / 1_000;
  return new SourceError(
    `items(...) starts at its first item in each slice of the producer. After ${seconds} s it had skipped only ` +
      `${passed} of the ${skipped} items that the run has read before, so the run cannot continue. The items that were ` +
      "read are not lost. Give the workflow a source that continues where it stopped, { readPage(cursor) } with the " +
      "cursor of the service, and start a new run",
    { permanent: true },
  );
}

/**
 * The error for an iterable that has become shorter. A page has a cursor only if the iterable had another item after
 * the page, so at least one more item must exist.
 */
function shrunk(seen: number, skipped: number): SourceError {
  return new SourceError(
    `items(...) ended after ${seen} items, but the run had read ${skipped} before and saw that more follow: ` +
      "the iterable must give the same items in the same order each time it is iterated",
  );
}

async function* pagesOfArray<Item>(
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

async function* pagesOfIterator<Item>(
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
        if (milliseconds >= WARNING_MILLISECONDS) warn(WARNING);
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
    // The signal fired during next(). A generator handles return() only after next() has settled, so do not await it.
    if (state === "busy") void (async () => await iterator.return?.())().catch(() => undefined);
  }
}

/** Awaits a value. Throws the signal's reason if the signal fires first. */
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
