import type { ExactJson } from "../base/exact-json.ts";

/**
 * The position from which a source continues reading: any JSON value or bigint that the source chooses, up to 16 KiB as
 * JSON text.
 *
 * Sluice stores the cursor in the ledger. A new producer may start from it days later, in another process. Starting
 * from the cursor of a page must yield the pages that follow that page.
 *
 * A cursor must survive a round trip through JSON unchanged. A page whose cursor contains one of these values fails the
 * run: a value that JSON cannot hold (a `Date`, `NaN`, `undefined` inside an object, an instance of a class), or an
 * integer beyond the safe range ±(2^53 − 1), which JavaScript may have rounded. Each page must have a different cursor.
 * A cursor that occurs again is an error, because the source would never end.
 *
 * @example `42`, `"eyJpZCI6NDJ9"`, `{ table: "users", after: 12345678901234567n }`
 */
export type Cursor = ExactJson;

/**
 * One page of a source.
 *
 * @example
 * ```ts
 * { items: [{ id: 1 }, { id: 2 }], next: 2 } // The next page starts at the cursor 2.
 * { items: [{ id: 3 }] } // The last page.
 * ```
 */
export interface Page<Item = unknown> {
  /** The items of the page, in a fixed order: none or more. */
  readonly items: readonly Item[];
  /** The cursor of the next page. On the last page it is absent, `undefined` or `null`: the source has ended. */
  readonly next?: Cursor | null | undefined;
}

/**
 * A part of a source. The partitions of a source are disjoint, and together they are the whole source. A run can read
 * several of them at the same time.
 *
 * Sluice stores the list of partitions when a run starts. The run then reads exactly these partitions, even if the source
 * changes.
 *
 * @example `{ id: "a-f", cursor: { after: "a", upTo: "f" } }`
 */
export interface Partition {
  /**
   * The name of the partition: 1 to 200 characters, and different for each partition. Messages about a partition that
   * cannot be read contain it.
   */
  readonly id: string;
  /**
   * The cursor with which Sluice first calls `pages` for this partition: up to 2 KiB as JSON text. Default: `undefined`.
   * Each page of the partition names the cursor of the next page as usual. A page without `next` ends the partition.
   */
  readonly cursor?: Cursor | undefined;
}

/** What Sluice passes to a source when it reads a page. */
export interface ReadContext {
  /**
   * The partition to read, as `partitions` returned it. A source can thus keep the bounds of the partition out of its
   * cursors. Absent: the whole source is read as one part.
   */
  readonly partition?: Partition | undefined;
  /**
   * Fires when the source must stop reading: the time of the producer's invocation is almost over, the producer needs
   * no more pages, another producer has taken over the run, or the process is about to end. Pass the signal on to
   * `fetch` and to database clients.
   */
  readonly signal: AbortSignal;
  /**
   * Reports that the source looks wrong, without failing the run. The run keeps up to 10 distinct warnings, each cut to
   * 300 characters. The run's summary and `sluice status` show them. A warning does not change the exit code.
   *
   * Sluice stores a warning together with the checkpoint of a page. So call `warn` before you yield the page that the
   * warning is about, and call it again when that page is read again. Equal warnings count once. So do not put a part
   * that changes each time, such as the current time, into the text.
   *
   * @example `if (rows.length === 0) warn("the table is empty")`
   */
  warn(message: string): void;
}

/** Environment variables by their names. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The part of a source that names the files it reads. */
export interface SourceFiles {
  /**
   * Returns the files that the source opens, as paths relative to the working directory. `cdk synth` packs these files
   * with the producer at the same relative paths, and Lambda's working directory contains what was packed. `fileLines`
   * implements this method itself. A file that your own source reads but does not name here is missing in Lambda.
   * Default: no files.
   *
   * Sluice calls the method at synth.
   *
   * @param environment The environment variables that the functions will have. `process.env` has those of the shell.
   * @example
   * ```ts
   * source: {
   *   files: () => ["data/codes.json"],
   *   readPage: async () => ({ items: JSON.parse(await readFile("data/codes.json", "utf8")) }),
   * }
   * ```
   */
  files?(environment: Environment): readonly string[];
}

/** A resource of AWS: an ARN, or the parts of an ARN. The partition is that of the stack. */
export type SourceResource =
  | string
  | {
      /** Such as `s3`. */
      readonly service: string;
      /** Default: the region of the stack. `""` if the ARN has none. */
      readonly region?: string;
      /** Default: the account of the stack. `""` if the ARN has none. */
      readonly account?: string;
      /** What follows the account in the ARN, such as `table/customers`. */
      readonly resource: string;
    };

/** What a source may do in AWS. */
export interface SourceRight {
  /** The full names of the actions, without wildcards. */
  readonly actions: readonly string[];
  readonly resources: readonly SourceResource[];
  /** Conditions of the policy statement: operator, key and value. Default: none. */
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Why a resource ends in a wildcard. Needed if one does. */
  readonly reason?: string;
}

/** The part of a source that names the rights in AWS that it needs. */
export interface SourceRights {
  /**
   * Returns the rights that the source needs. The producer of a deployed workflow gets exactly these. Sluice's sources for
   * AWS implement this method themselves. For your own source, the option `permissions` of the workflow is simpler.
   * Default: none.
   *
   * Sluice calls the method at synth.
   *
   * @param environment The environment variables that the functions will have.
   */
  rights?(environment: Environment): readonly SourceRight[];
}

/** What Sluice passes to a source when it asks for the partitions. */
export type PartitionContext = Omit<ReadContext, "partition">;

/** The part of a source that divides it. */
export interface SourcePartitions {
  /**
   * Divides the source into disjoint parts: 1 to 10,000. A run asks once, when it starts, and then reads several parts at
   * the same time: as many as the workflow's option `producers` says. If the list could not be stored completely, for
   * example because the producer crashed, it is discarded and the run asks again. The method may send requests. Errors and
   * waits are handled as in `pages`.
   *
   * Each part has its own cursor, failures and waits. If a part cannot be read, the run reads the others and then fails, with
   * the id of the part in its message. `sluice resume` reads it again from its last checkpoint. Results and the item ids have
   * the order of the list.
   *
   * Default: the source is read as one part, from its beginning to its end. If the context of `pages` has no
   * `partition`, `pages` must read the whole source: tests of a workflow and `sluice try` read it as one part.
   *
   * @example
   * ```ts
   * source: {
   *   partitions: () => ["eu", "us"].map((region) => ({ id: region, cursor: { region, page: 1 } })),
   *   async readPage(cursor, { signal }) { ... },
   * }
   * ```
   */
  partitions?(context: PartitionContext): Promise<readonly Partition[]> | readonly Partition[];
}

/** How many items a source has. */
export interface SourceSize {
  readonly items: number;
  /** Whether the number is exact. `false`: it is an estimate, such as that of a database's statistics. */
  readonly isExact: boolean;
}

/** The part of a source that knows its size. */
export interface SourceSizes {
  /**
   * Returns how many items the source has, if it can find out without reading them. `sluice plan` asks. A run does not.
   * `undefined`: not known. Default: not known.
   *
   * @example
   * ```ts
   * source: {
   *   size: async () => ({ items: (await db.query("select count(*) from users")).rows[0].count, isExact: true }),
   *   async readPage(cursor, { signal }) { ... },
   * }
   * ```
   */
  size?(context: PartitionContext): Promise<SourceSize | undefined> | SourceSize | undefined;
}

/**
 * A paged source. Sluice reads the source lazily: it requests the next page while it sends the current page, and never
 * earlier.
 *
 * **Restart.** `pages` must be restartable: `pages(page.next)` must yield the pages that follow `page`. A run reads the
 * source in slices of about a minute, and each slice begins at the last checkpoint.
 *
 * **Errors.** When `pages` throws, Sluice tries again after a backoff, from the last checkpoint. Five failures in a row
 * without a page between them fail the run. A `PermanentError` fails the run at once. In both cases `sluice resume`
 * continues the run from the last checkpoint.
 *
 * **Waits.** When the service asks to wait, throw `Throttled` or `RetryLater`. `checkResponse` throws them for a
 * `fetch` response. A wait is not a failure. Sluice reads nothing before the requested time, even if a producer crashes
 * in between. Then it continues from the last checkpoint. A wait of more than five seconds costs nothing, because no
 * function runs during it. If the error contains no time, the run waits for up to 5 s, then for up to 10 s, and so on
 * up to 15 min. Waits without a page between them may last 8 days in total. A longer wait fails the run, and
 * `sluice resume` continues it.
 *
 * @example
 * ```ts
 * const source: Source<User> = {
 *   async *pages(cursor, { signal }) {
 *     let token = cursor as string | undefined;
 *     do {
 *       const { users, nextToken } = await client.listUsers({ token }, { signal });
 *       yield { items: users, next: nextToken };
 *       token = nextToken;
 *     } while (token !== undefined);
 *   },
 * };
 * ```
 */
export interface Source<Item = unknown> extends SourceFiles, SourceRights, SourcePartitions, SourceSizes {
  /**
   * `"header"` if the names of the items' fields come from a header, as in a CSV file. Sluice then names the header in
   * messages about a missing field.
   */
  readonly fieldsFrom?: "header";
  /**
   * Reads the source from a cursor, page after page, until the source ends or the caller stops.
   *
   * @param cursor Where to start. `undefined` is the beginning of the source, or of a partition without a cursor.
   */
  pages(cursor: Cursor | undefined, context: ReadContext): AsyncIterable<Page<Item>>;
}

/**
 * The simplest form of a source: one function that receives a cursor and returns the page at it. Sluice reads the next
 * page while it sends the current one, so two pages must fit into the producer's memory of 512 MB. Errors and waits are
 * handled as `Source` describes.
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
export interface PageReader<Item = unknown> extends SourceFiles, SourceRights, SourcePartitions, SourceSizes {
  /**
   * Reads one page.
   *
   * @param cursor The cursor of the page. `undefined` is the first page.
   */
  readPage(cursor: Cursor | undefined, context: ReadContext): Promise<Page<Item>> | Page<Item>;
}

/**
 * Turns a `PageReader` into a `Source`. Returns a `Source` unchanged.
 *
 * @example `const { pages } = toSource({ readPage: () => ({ items: [1, 2, 3] }) });`
 */
export function toSource<Item>(source: Source<Item> | PageReader<Item>): Source<Item> {
  if ("pages" in source) return source;
  return {
    files: (environment) => source.files?.(environment) ?? [],
    rights: (environment) => source.rights?.(environment) ?? [],
    ...(source.partitions !== undefined && { partitions: (context) => source.partitions?.(context) ?? [] }),
    ...(source.size !== undefined && { size: (context) => source.size?.(context) }),
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
