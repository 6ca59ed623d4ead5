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

/** The items of one page of the ledger. The producer sends these items together, and then writes one checkpoint. */
export interface Chunk {
  readonly items: readonly Serialised[];
  /** The checkpoint after the chunk. It says where reading continues. */
  readonly after: Pick<Checkpoint, "cursor" | "loop" | "skip" | "ended">;
}

/** A page of the source whose cursor is checked. */
interface ReadPage {
  readonly items: readonly unknown[];
  readonly next: Cursor | undefined;
  /** The JSON text of `next`. */
  readonly nextText: string;
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
    const page = next(iterator, observer, signal);
    page.then(endRead, endRead);
    return page;
  };
  try {
    let { cursor, loop, skip, items: produced } = from;
    let text = cursor === undefined ? "" : toStoredText(cursor);
    let ahead = readAhead();
    for (;;) {
      const page = await unlessAborted(ahead, signal);
      const left = limit - produced;
      const enough = page.items.length - skip >= left;
      const last = page.next === undefined || enough;
      const following = last ? undefined : advance(loop, text, page);
      if (!last) ahead = readAhead();
      const items = enough ? page.items.slice(0, skip + left) : page.items;
      const start = skip;
      do {
        const chunk = cut(items, skip, produced === 0 && skip === 0 ? ITEMS_OF_FIRST_PAGE : ITEMS_PER_PAGE);
        skip += chunk.length;
        const pageDone = skip >= items.length;
        yield {
          items: chunk,
          after: pageDone
            ? { cursor: last ? undefined : page.next, loop: following, skip: 0, ended: last }
            : { cursor, loop, skip, ended: false },
        };
      } while (skip < items.length);
      if (last) return;
      // If the page now has fewer items than an earlier slice sent from it, `skip` exceeds its length, and the page
      // adds no items.
      produced += Math.max(0, items.length - start);
      cursor = page.next;
      text = page.nextText;
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

/** Awaits a page. Rejects when the signal fires, even if the source ignores the signal. */
async function unlessAborted(page: Promise<ReadPage>, signal: AbortSignal): Promise<ReadPage> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(stopped(signal));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([page, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

const stopped = (signal: AbortSignal): SourceError =>
  new SourceError("the source did not yield its page in time", { cause: signal.reason });

function next(iterator: AsyncIterator<Page>, observer: WaitObserver, signal: AbortSignal): Promise<ReadPage> {
  const page = readNext(iterator, observer).then((read) => {
    // A generator may return because the signal has fired. Then the source has not ended.
    if (read.next === undefined && signal.aborted) throw stopped(signal);
    return read;
  });
  // The caller awaits the page later. Until then, a rejection must not count as unhandled.
  page.catch(() => {});
  return page;
}

async function readNext(iterator: AsyncIterator<Page>, observer: WaitObserver): Promise<ReadPage> {
  let result: IteratorResult<Page>;
  try {
    result = await iterator.next();
  } catch (cause) {
    throw await sourceError(cause, observer);
  }
  // The latest page had a cursor, but the generator returned without a further page. So the source has ended.
  if (result.done) return { items: [], next: undefined, nextText: "" };
  const page: unknown = result.value;
  if (typeof page !== "object" || page === null || !("items" in page) || !Array.isArray(page.items)) {
    throw new SourceError(
      `the source yielded ${shownPage(page)}, which is not a page: yield { items: [...], next: cursor }, where items is an ` +
        "array",
    );
  }
  const { items, next: following } = result.value;
  if (following === undefined) checkEnd(page);
  if (following === undefined || following === null) return { items, next: undefined, nextText: "" };
  return { items, next: following, nextText: cursorText(following) };
}

/** A short description of a value that the source yielded instead of a page. */
function shownPage(page: unknown): string {
  if (typeof page !== "object" || page === null) return show(page).slice(0, SHOWN_CHARACTERS);
  if (!("items" in page))
    return `an object with the keys ${JSON.stringify(Object.keys(page)).slice(0, SHOWN_CHARACTERS)}`;
  const { items } = page;
  return `items that are ${typeof items === "object" && items !== null ? "an object" : show(items).slice(0, SHOWN_CHARACTERS)}`;
}

/**
 * Checks the last page. A page without `next` ends the source, but a misspelt `next` must not end it. So any other key
 * is an error.
 */
function checkEnd(page: object): void {
  const unknown = Object.keys(page).filter((key) => key !== "items" && key !== "next");
  if (unknown.length === 0 || "next" in page) return;
  throw new SourceError(
    `the source yielded a page that has no next, but has ${unknown.map((key) => JSON.stringify(key)).join(", ")}: ` +
      "yield { items: [...], next: cursor }, and next: undefined on the last page",
    { permanent: true },
  );
}

/** The state of the loop detection at the cursor of the next page. */
function advance(loop: LoopState | undefined, here: string, { next, nextText }: ReadPage): LoopState {
  if (nextText === here) {
    throw new SourceError(
      `the source's cursor stays the same: the page at ${show(next)} has the same cursor as next, so it would be read ` +
        "forever. Set next to the cursor of the following page, or to undefined on the last page",
    );
  }
  const following = nextLoopState(loop, createHash("sha256").update(nextText).digest("base64url").slice(0, 16));
  if (following !== undefined) return following;
  throw new SourceError(
    `the source's cursors form a loop: the next page would be at ${show(next)}, which was read before. ` +
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
