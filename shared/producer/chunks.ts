import { createHash } from "node:crypto";
import { SourceError, toError } from "../base/errors.ts";
import { publishRead } from "../base/events.ts";
import { toStoredText } from "../base/exact-json.ts";
import { ITEMS_OF_FIRST_PAGE, ITEMS_PER_PAGE } from "../base/items-per-page.ts";
import { errorMessageCompletion } from "../base/late-error-message.ts";
import { show } from "../base/options.ts";
import { PermanentError } from "../base/task-errors.ts";
import type { Checkpoint } from "../ledger/run-record.ts";
import { cursorText } from "../sources/cursor-check.ts";
import { type LoopState, nextLoopState } from "../sources/loop-detector.ts";
import type { Cursor, Page, ReadContext, Source } from "../sources/source.ts";
import { type SourceWait, sourceWaitOf } from "../sources/source-wait.ts";
import { type Serialised, serialise, textOf } from "./serialised.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** The items of one page of the ledger. The producer sends these items together, and then writes one checkpoint. */
export interface Chunk {
  readonly items: readonly Serialised[];
  /** The checkpoint after the chunk. It says where reading continues. */
  readonly after: Pick<Checkpoint, "cursor" | "loop" | "skip" | "ended">;
}

interface CheckedCursor {
  readonly cursor: Cursor;
  /** The cursor as JSON text. */
  readonly text: string;
}

/** A page of the source whose cursor is checked. */
interface ReadPage {
  readonly items: readonly unknown[];
  /** Where the following page begins. `undefined`: the page is the last one. */
  readonly next: CheckedCursor | undefined;
}

/**
 * A chunk ends with the item that reaches this size. The limit bounds the producer's memory: the producer holds two
 * chunks at once, and an item may take a megabyte.
 */
const CHUNK_CHARACTERS = 4_000_000;

/** The most characters that an error message shows of a value that is not a page. */
const SHOWN_CHARACTERS = 100;

/**
 * Reads a source from a checkpoint, and divides its pages into chunks. A chunk has at most the items of one page of the
 * ledger, and a few megabytes.
 *
 * While the caller sends the chunks of a page, the next page of the source is read. So at most two pages of the source
 * are in memory. If reading the next page fails, the error is thrown after the last chunk of the current page.
 *
 * @throws {SourceError} The source threw, it yielded something that is not a page, or its cursors form a loop.
 * @throws {SourceWait} The service asked the source to wait.
 */
export async function* chunks(
  source: Source,
  from: Pick<Checkpoint, "cursor" | "loop" | "skip" | "items">,
  { limit = Number.POSITIVE_INFINITY, signal, warn, partition, ...observer }: ReadContext & Reading,
): AsyncGenerator<Chunk, void, undefined> {
  // Stops the reading of the next page when the caller needs no more chunks.
  const stop = new AbortController();
  const context = { signal: AbortSignal.any([signal, stop.signal]), warn, ...(partition && { partition }) };
  const iterator = await open(source, from.cursor, observer, context);
  let endRead = () => {};
  const readAhead = () => {
    endRead = publishRead();
    const page = readNext(iterator, observer, signal);
    // The page is awaited later. Until then, a rejection must not count as unhandled.
    page.then(endRead, endRead);
    return page;
  };
  try {
    let { cursor, loop, skip, items: produced } = from;
    let here = cursor === undefined ? undefined : toStoredText(cursor);
    let ahead = readAhead();
    for (;;) {
      const page = await unlessAborted(ahead, signal, () => stopped(signal));
      const left = limit - produced;
      const enough = page.items.length - skip >= left;
      const next = enough ? undefined : page.next;
      const following = next && advance(loop, here, next);
      if (next !== undefined) ahead = readAhead();
      const items = enough ? page.items.slice(0, skip + left) : page.items;
      const start = skip;
      do {
        const chunk = cut(items, skip, produced === 0 && skip === 0 ? ITEMS_OF_FIRST_PAGE : ITEMS_PER_PAGE);
        skip += chunk.length;
        const pageDone = skip >= items.length;
        yield {
          items: chunk,
          after: pageDone
            ? { cursor: next?.cursor, loop: following, skip: 0, ended: next === undefined }
            : { cursor, loop, skip, ended: false },
        };
      } while (skip < items.length);
      if (next === undefined) return;
      // If the page now has fewer items than an earlier slice sent from it, `skip` exceeds its length, and the page
      // adds no items.
      produced += Math.max(0, items.length - start);
      cursor = next.cursor;
      here = next.text;
      loop = following;
      skip = 0;
    }
  } finally {
    stop.abort();
    endRead();
    // Do not await the promise: a source whose promise never settles must not block the slice.
    void iterator.return?.().catch(() => {});
  }
}

/** How a run reads its source. */
export interface Reading {
  /** The largest number of items of the run. Absent: no limit. */
  readonly limit?: number | undefined;
  /** The time in milliseconds since 1970. */
  readonly now: () => number;
  /**
   * Called as soon as the service asks the source to wait. The thrown `SourceWait` alone is not enough: if it belongs
   * to the page that is read ahead, the caller may stop before it reaches that page.
   */
  readonly onWait: (wait: SourceWait) => void;
}

type WaitObserver = Pick<Reading, "now" | "onWait">;

/**
 * Takes the items of the next chunk. The same items are always divided at the same places, so a chunk that is sent
 * again has the same items.
 */
function cut(items: readonly unknown[], from: number, most: number): readonly Serialised[] {
  const chunk: Serialised[] = [];
  let characters = 0;
  for (let at = from; at < items.length && chunk.length < most && characters < CHUNK_CHARACTERS; at++) {
    const item = serialise(items[at]);
    chunk.push(item);
    characters += textOf(item).length;
  }
  return chunk;
}

async function open(
  source: Source,
  cursor: Cursor | undefined,
  observer: WaitObserver,
  context: ReadContext,
): Promise<AsyncIterator<Page>> {
  try {
    return source.pages(cursor, context)[Symbol.asyncIterator]();
  } catch (cause) {
    throw await sourceError(cause, observer);
  }
}

const stopped = (signal: AbortSignal): SourceError =>
  new SourceError("the source did not yield its page in time", { cause: signal.reason });

async function readNext(iterator: AsyncIterator<Page>, observer: WaitObserver, signal: AbortSignal): Promise<ReadPage> {
  let result: IteratorResult<Page>;
  try {
    result = await iterator.next();
  } catch (cause) {
    throw await sourceError(cause, observer);
  }
  // A generator may return because the signal has fired. Then the source has not ended.
  if (signal.aborted) throw stopped(signal);
  // The latest page had a cursor, but the generator returned without a further page. So the source has ended.
  if (result.done) return { items: [], next: undefined };
  const page: unknown = result.value;
  if (typeof page !== "object" || page === null || !("items" in page) || !Array.isArray(page.items)) {
    throw new SourceError(
      `the source yielded ${shownPage(page)}, which is not a page: yield { items: [...], next: cursor }, where items is an ` +
        "array",
    );
  }
  const { items, next: cursor } = result.value;
  checkNext(page);
  if (cursor === undefined || cursor === null) return { items, next: undefined };
  return { items, next: { cursor, text: cursorText(cursor) } };
}

/** A short description of a value that the source yielded instead of a page. */
function shownPage(page: unknown): string {
  if (typeof page !== "object" || page === null) return show(page).slice(0, SHOWN_CHARACTERS);
  if (!("items" in page))
    return `an object with the keys ${JSON.stringify(Object.keys(page)).slice(0, SHOWN_CHARACTERS)}`;
  const { items } = page;
  return `items that are ${typeof items === "object" && items !== null ? "an object" : show(items).slice(0, SHOWN_CHARACTERS)}`;
}

/** A page without `next` ends the source, but a misspelt `next` must not end it. So without it, any other key is an error. */
function checkNext(page: object): void {
  if ("next" in page) return;
  const unknown = Object.keys(page).filter((key) => key !== "items");
  if (unknown.length === 0) return;
  throw new SourceError(
    `the source yielded a page that has no next, but has ${unknown.map((key) => JSON.stringify(key)).join(", ")}: ` +
      "yield { items: [...], next: cursor }, and next: undefined on the last page",
    { permanent: true },
  );
}

/** The state of the loop detection at the cursor of the next page. */
function advance(loop: LoopState | undefined, here: string | undefined, { cursor, text }: CheckedCursor): LoopState {
  if (text === here) {
    throw new SourceError(
      `the source's cursor stays the same: the page at ${show(cursor)} has the same cursor as next, so it would be read ` +
        "forever. Set next to the cursor of the following page, or to undefined on the last page",
    );
  }
  const following = nextLoopState(loop, createHash("sha256").update(text).digest("base64url").slice(0, 16));
  if (following !== undefined) return following;
  throw new SourceError(
    `the source's cursors form a loop: the next page would be at ${show(cursor)}, which was read before. ` +
      "Set next to a cursor that differs on each page, and to undefined on the last page",
  );
}

async function sourceError(cause: unknown, { now, onWait }: WaitObserver): Promise<Error> {
  // Take the time now. A relative wait starts when the source throws, and not when the caller reaches the page that was
  // read ahead.
  const at = now();
  await errorMessageCompletion(cause);
  const wait = sourceWaitOf(cause, at);
  if (wait !== undefined) {
    onWait(wait);
    return wait;
  }
  const error = toError(cause);
  if (error instanceof SourceError) return error;
  const permanent = error instanceof PermanentError;
  return new SourceError(`the source threw: ${error.message}`, { cause: error, permanent });
}
