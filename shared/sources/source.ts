import type { ExactJson } from "../base/exact-json.ts";

/**
 * Where a source goes on reading: any JSON value or bigint of the source's own, up to 16 KiB. It is kept in the ledger, so
 * a reader that starts at it, days later and in another process, must yield what comes after it.
 *
 * What JSON cannot hold (a `Date`, `NaN`, `undefined` inside an object, an instance of a class), or a number beyond
 * ±(2^53 − 1), which may have been rounded, fails the run at the first page. Each page has another cursor: one that comes
 * again is an error, as the source would never end.
 */
export type Cursor = ExactJson;

/** One page of a source. */
export interface Page<Item = unknown> {
  readonly items: readonly Item[];
  /** Where the next page starts. Absent, `undefined` or `null` on the last page: the source has ended. */
  readonly next?: Cursor | null | undefined;
}

/** What a source may use while it reads. */
export interface ReadContext {
  /** Fires when the reading must stop: the slice of the producer is over, or the run was cancelled. */
  readonly signal: AbortSignal;
  /**
   * Says that something about the source looks odd, without failing. The run keeps up to 10 distinct warnings, each cut
   * to 300 characters, and shows them in its summary and in `sluice status`. A warning does not change the exit code.
   *
   * Call it before the page that it is about is yielded, and call it again when that page is read again: a warning is
   * stored together with the checkpoint of a page. The same warning twice counts once, so it should hold no changing
   * part, such as a time.
   *
   * @example `if (rows.length === 0) warn("the table is empty")`
   */
  warn(message: string): void;
}

/** What a source says of the files that it reads. */
export interface SourceFiles {
  /**
   * The files that the source opens by their paths, relative to the working directory. `cdk synth` packs them with the
   * producer, at the same relative paths: Lambda's working directory holds what was packed. `fileLines` says this by itself. A
   * file that a source of your own reads, and does not name here, is missing in Lambda. Default: none.
   *
   * It is called at synth, with the environment variables that the functions will have and no others.
   *
   * @example
   * ```ts
   * source: {
   *   files: () => ["data/codes.json"],
   *   readPage: async () => ({ items: JSON.parse(await readFile("data/codes.json", "utf8")) }),
   * }
   * ```
   */
  files?(): readonly string[];
}

/**
 * A paged source, read lazily: a page is asked for when the one before it is being sent, and no sooner.
 *
 * `pages` starts at a cursor (`undefined`: at the beginning) and yields page after page until the source ends or the
 * caller stops asking. It must be restartable: `pages(page.next)` yields what the first iteration would have yielded
 * after `page`. An error it throws is retried with backoff from the last checkpoint, and five failures in a row without
 * a page fail the run. A `PermanentError` fails the run at once. `resume` goes on from the last checkpoint in both cases.
 *
 * Where the service asks to wait, throw `Throttled` or `RetryLater` (`checkResponse` does so for a response). That is no
 * failure: nothing is read before that time, whatever happens meanwhile, and the run goes on from the last checkpoint. A
 * wait of more than five seconds costs nothing, since no function runs. Without a time, the run waits 5 s, 10 s, ... up
 * to 15 min. Waits without a page between may last 8 days together; then the run fails, and can be resumed.
 */
export interface Source<Item = unknown> extends SourceFiles {
  /** What gives the items' fields their names, if they have them in common: the header of a file. Messages name it. */
  readonly fieldsFrom?: "header";
  pages(cursor: Cursor | undefined, context: ReadContext): AsyncIterable<Page<Item>>;
}

/**
 * The simplest source to write: one function from a cursor to its page. The page after it is read while one is sent, so
 * two must fit into the producer's memory of 512 MB.
 *
 * @example
 * ```ts
 * source: {
 *   async readPage(cursor = 0, { signal }) {
 *     const rows = await db.query("select * from users where id > $1 order by id limit 200", [cursor], { signal });
 *     return { items: rows, next: rows.length < 200 ? undefined : rows.at(-1).id };
 *   },
 * }
 * source: {
 *   async readPage(cursor = 1, { signal }) {
 *     // Waits for as long as a 429 says, and fails the run at a 404.
 *     const response = checkResponse(await fetch(`https://api.example.com/users?page=${cursor}`, { signal }));
 *     const { users, nextPage } = await response.json();
 *     return { items: users, next: nextPage };
 *   },
 * }
 * ```
 */
export interface PageReader<Item = unknown> extends SourceFiles {
  readPage(cursor: Cursor | undefined, context: ReadContext): Promise<Page<Item>> | Page<Item>;
}

/** A `PageReader` as a `Source`; a `Source` is returned as it is. */
export function toSource<Item>(source: Source<Item> | PageReader<Item>): Source<Item> {
  if ("pages" in source) return source;
  return {
    files: () => source.files?.() ?? [],
    async *pages(cursor, context) {
      let next: Cursor | undefined = cursor;
      do {
        const page: Page<Item> = await source.readPage(next, context);
        yield page;
        next = page.next ?? undefined;
      } while (next !== undefined);
    },
  };
}
