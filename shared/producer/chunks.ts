import { createHash } from "node:crypto";
import { SourceError, toError } from "../base/errors.ts";
import { toStoredText } from "../base/exact-json.ts";
import { ITEMS_PER_PAGE } from "../base/items-per-page.ts";
import { completionOf } from "../base/late-message.ts";
import { show } from "../base/options.ts";
import { PermanentError } from "../base/task-errors.ts";
import type { Checkpoint } from "../ledger/run-record.ts";
import { cursorText } from "../sources/cursor-check.ts";
import { type LoopState, nextLoopState } from "../sources/loop-detector.ts";
import type { Cursor, Page, ReadContext, Source } from "../sources/source.ts";
import { type SourceWait, sourceWaitOf } from "../sources/source-wait.ts";
import { type Serialised, serialise, textOf } from "./serialised.ts";

/** What is sent and checkpointed as one: a page of the ledger. */
export interface Chunk {
  readonly items: readonly Serialised[];
  /** Where to go on after it. */
  readonly after: Pick<Checkpoint, "cursor" | "loop" | "skip" | "ended">;
}

/** A page whose cursor is checked. */
interface ReadPage {
  readonly items: readonly unknown[];
  readonly next: Cursor | undefined;
  /** `next` as JSON. */
  readonly nextText: string;
}

/** A run's first chunk is small, so that consumers begin while the others are still prepared. */
const FIRST_CHUNK_ITEMS = 50;

/** A chunk ends with the item that reaches it: two of them are under way at once, and items may be of a megabyte each. */
const CHUNK_CHARACTERS = 4_000_000;

/** How much a message shows of what is no page. */
const SHOWN_CHARACTERS = 100;

/**
 * A source from a checkpoint on, in chunks of at most a ledger page, and of few megabytes. The source's next page is read
 * while the chunks of the one before are sent: it holds two pages, whatever the source's size. An error of the page read
 * ahead comes when its turn does.
 *
 * @throws {SourceError} The source threw, what it yielded is no page, or its cursors go round in a circle.
 * @throws {SourceWait} The source was told to wait.
 */
export async function* chunks(
  source: Source,
  from: Pick<Checkpoint, "cursor" | "loop" | "skip" | "items">,
  { limit = Number.POSITIVE_INFINITY, signal, warn, ...told }: ReadContext & Reading,
): AsyncGenerator<Chunk, void, undefined> {
  // Stops the page that is being read ahead when the caller stops asking.
  const stop = new AbortController();
  const context = { signal: AbortSignal.any([signal, stop.signal]), warn };
  const iterator = await open(source, from.cursor, told, context);
  try {
    let { cursor, loop, skip, items: produced } = from;
    let text = cursor === undefined ? "" : toStoredText(cursor);
    let ahead = next(iterator, told, signal);
    for (;;) {
      const page = await unlessAborted(ahead, signal);
      const left = limit - produced;
      const enough = page.items.length - skip >= left;
      const last = page.next === undefined || enough;
      const following = last ? undefined : advance(loop, text, page);
      if (!last) ahead = next(iterator, told, signal);
      const items = enough ? page.items.slice(0, skip + left) : page.items;
      const start = skip;
      do {
        const chunk = cut(items, skip, produced === 0 && skip === 0 ? FIRST_CHUNK_ITEMS : ITEMS_PER_PAGE);
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
      // A page that has shrunk below what was sent of it yields nothing more.
      produced += Math.max(0, items.length - start);
      cursor = page.next;
      text = page.nextText;
      loop = following;
      skip = 0;
    }
  } finally {
    stop.abort();
    // Not awaited: a source that never settles must not hold the slice.
    void iterator.return?.().catch(() => {});
  }
}

export interface Reading {
  /** Items of the run at the most. */
  readonly limit?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called as soon as the source was told to wait: a page that is read ahead may never have its turn. */
  readonly onWait: (wait: SourceWait) => void;
}

type Told = Pick<Reading, "now" | "onWait">;

/** The same items are always cut at the same places, so that a chunk which is sent again is the same. */
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
  told: Told,
  context: ReadContext,
): Promise<AsyncIterator<Page>> {
  try {
    return source.pages(cursor, context)[Symbol.asyncIterator]();
  } catch (cause) {
    throw await sourceError(cause, told);
  }
}

/** A page, unless the signal fires first: a source may ignore it. */
async function unlessAborted(page: Promise<ReadPage>, signal: AbortSignal): Promise<ReadPage> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(stopped(signal));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([page, aborted]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

const stopped = (signal: AbortSignal): SourceError =>
  new SourceError("the source did not yield its page in time", { cause: signal.reason });

function next(iterator: AsyncIterator<Page>, told: Told, signal: AbortSignal): Promise<ReadPage> {
  const page = readNext(iterator, told).then((read) => {
    // A source that returns because it was told to stop, as generators do, has not ended.
    if (read.next === undefined && signal.aborted) throw stopped(signal);
    return read;
  });
  // Seen by the one who awaits it; until then it is no unhandled rejection.
  page.catch(() => {});
  return page;
}

async function readNext(iterator: AsyncIterator<Page>, told: Told): Promise<ReadPage> {
  let result: IteratorResult<Page>;
  try {
    result = await iterator.next();
  } catch (cause) {
    throw await sourceError(cause, told);
  }
  // A generator that returns where its latest page promised another has ended: it found nothing there.
  if (result.done) return { items: [], next: undefined, nextText: "" };
  const page: unknown = result.value;
  if (typeof page !== "object" || page === null || !("items" in page) || !Array.isArray(page.items)) {
    throw new SourceError(
      `the source gave ${shownPage(page)}, which is no page: give { items: [...], next: cursor }, whose items are an array`,
    );
  }
  const { items, next: following } = result.value;
  if (following === undefined) checkEnd(page);
  if (following === undefined || following === null) return { items, next: undefined, nextText: "" };
  return { items, next: following, nextText: cursorText(following) };
}

/** What came in place of a page, in short. */
function shownPage(page: unknown): string {
  if (typeof page !== "object" || page === null) return show(page).slice(0, SHOWN_CHARACTERS);
  if (!("items" in page))
    return `an object with the keys ${JSON.stringify(Object.keys(page)).slice(0, SHOWN_CHARACTERS)}`;
  const { items } = page;
  return `items that are ${typeof items === "object" && items !== null ? "an object" : show(items).slice(0, SHOWN_CHARACTERS)}`;
}

/** A page ends the source by having no `next`, which a misspelt `next` must not do. */
function checkEnd(page: object): void {
  const unknown = Object.keys(page).filter((key) => key !== "items" && key !== "next");
  if (unknown.length === 0 || "next" in page) return;
  throw new SourceError(
    `the source yielded a page without next, but with ${unknown.map((key) => JSON.stringify(key)).join(", ")}: ` +
      "yield { items: [...], next: cursor }, and next: undefined on the last page",
    { permanent: true },
  );
}

/** The loop's state at the cursor of the next page. */
function advance(loop: LoopState | undefined, here: string, { next, nextText }: ReadPage): LoopState {
  if (nextText === here) {
    throw new SourceError(
      `the source's cursor stands still: the page at ${show(next)} gives the same cursor as next, so it would be read ` +
        "for ever. Give the cursor of the page after it, or next: undefined on the last page",
    );
  }
  const following = nextLoopState(loop, createHash("sha256").update(nextText).digest("base64url").slice(0, 16));
  if (following !== undefined) return following;
  throw new SourceError(
    `the source's cursors go round in a circle: the next page would be at ${show(next)}, which was read before. ` +
      "Give a cursor that differs on each page, and next: undefined on the last page",
  );
}

async function sourceError(cause: unknown, { now, onWait }: Told): Promise<Error> {
  // By the time that a page which is read ahead has its turn, a wait may be over.
  const at = now();
  await completionOf(cause);
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
