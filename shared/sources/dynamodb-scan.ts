import { setTimeout } from "node:timers/promises";
import { marshall } from "@aws-sdk/util-dynamodb";
import * as z from "zod";
import { DynamoDbScanner, type ScanSettings, type TypedItem } from "../aws/scan-requests.ts";
import { ConfigurationError, SourceError, toError } from "../base/errors.ts";
import type { UnsafeNumbers } from "../base/exact-json.ts";
import { booleanOption, integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import { keyOfStored, plainItem, type StoredKey, storedKey, typedItem, typedText } from "./dynamodb-values.ts";
import { pageSizeOption } from "./page-size.ts";
import { MOST_PARTITIONS, WHOLE_SOURCE } from "./partition-limits.ts";
import { ReadRate } from "./read-rate.ts";
import { regionOption } from "./region-option.ts";
import { serviceRefusal } from "./service-refusal.ts";
import type { Cursor, Environment, Page, ReadContext, Source } from "./source.ts";
import { UnreadableItem } from "./unreadable-item.ts";
import { unsafeNumbersOption } from "./unsafe-numbers.ts";

/** The name of a table, or a function that returns the name from the environment variables of the deployed function. */
export type TableName = string | ((environment: Environment) => string);

/** A filter that DynamoDB applies after it has read the items. */
export interface ScanFilter {
  /** A filter expression, such as `"#state = :open"`. */
  readonly expression: string;
  /** The names that the expression uses, such as `{ "#state": "state" }`. */
  readonly names?: Readonly<Record<string, string>>;
  /** The values that the expression uses, as JavaScript values, such as `{ ":open": "open" }`. */
  readonly values?: Readonly<Record<string, unknown>>;
}

/** Options of `dynamoDbScan`. */
export interface DynamoDbScanOptions {
  readonly table: TableName;
  /** The name of a secondary index to scan. It can lack items and attributes. Default: the table itself. */
  readonly index?: string;
  /** Only items for which the filter holds. DynamoDB reads, and bills, the other items too. Default: all items. */
  readonly filter?: ScanFilter;
  /**
   * `true`: each request sees all writes before it, and costs twice as much. A global secondary index cannot be read like
   * this. Default `false`: a request can miss writes of the last second.
   * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html
   */
  readonly consistentRead?: boolean;
  /**
   * The most read units a second that the source consumes, on average: more than 0. The source requests fewer items at a
   * time, and pauses. Each of several `segments` gets an equal share. Default: no limit, as fast as items are needed.
   * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
   */
  readonly readUnitsPerSecond?: number;
  /**
   * `"plain"`: items are plain JSON. `"dynamodb"`: items are DynamoDB's own JSON, with the type of each value, such as
   * `{ id: { N: "5" } }`. It loses nothing. Default `"plain"`.
   */
  readonly values?: "plain" | "dynamodb";
  /**
   * What Sluice does with a number that JavaScript would alter. DynamoDB's numbers have up to 38 digits. Default
   * `"refuse"`: the item becomes a dead letter with the reason `invalid item`. `"text"` keeps the number as a string.
   * `"bigint"` keeps an integer as a bigint.
   */
  readonly unsafeNumbers?: UnsafeNumbers;
  /**
   * How many segments the scan has: 1 to 10,000. Each of them is a partition, and as many of them are scanned at the same
   * time as the workflow's option `producers` says. A few segments for each producer keep all producers busy until the end.
   * Default 1: one scan, without partitions.
   * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html#Scan.ParallelScan
   */
  readonly segments?: number;
  /** Number of items in a page: 1 to 200. Default 200. */
  readonly pageSize?: number;
  /** The region of the table. Default: the region of the function, or of your AWS configuration. */
  readonly region?: string;
}

const KEYS = {
  table: true,
  index: true,
  filter: true,
  consistentRead: true,
  readUnitsPerSecond: true,
  values: true,
  unsafeNumbers: true,
  segments: true,
  pageSize: true,
  region: true,
} as const satisfies Record<keyof DynamoDbScanOptions, true>;

/**
 * Makes a source from the items of a DynamoDB table or index, in DynamoDB's own order.
 *
 * **Values.** Texts, booleans, `null`, lists and maps stay as they are. A number that JavaScript would alter is handled as
 * `unsafeNumbers` says: it is never rounded. Sets become lists, and binary values become base64 text. With
 * `values: "dynamodb"`, each value keeps its type.
 *
 * **Restart.** The cursor is the key of the last item that was read. A response without items is not the end: only a
 * response without `LastEvaluatedKey` is.
 *
 * **Changes.** An item that is written or deleted while a run scans the table may or may not be read. An item that nobody
 * changes is read exactly once.
 *
 * **Throttling.** When DynamoDB throttles the requests, the run waits. This costs no attempts, and does not fail the run.
 *
 * **Rights.** The producer of a deployed workflow gets `dynamodb:Scan` on exactly the table, or exactly the index.
 *
 * **Limits.** A request reads up to 1 MB: 128 read units, or 256 with `consistentRead`.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
 *
 * @throws {ConfigurationError} An option is unknown or invalid.
 * @throws {SourceError} While the source is read: the table or the index does not exist, the filter is wrong, or the
 *   credentials may not scan.
 * @example
 * ```ts
 * source: dynamoDbScan({ table: "customers", unsafeNumbers: "bigint" }),
 * source: dynamoDbScan({
 *   table: ({ ORDERS_TABLE = "" }) => ORDERS_TABLE,
 *   filter: { expression: "#state = :open", names: { "#state": "state" }, values: { ":open": "open" } },
 *   readUnitsPerSecond: 50,
 * }),
 * ```
 */
export function dynamoDbScan<Item = Record<string, unknown>>(options: DynamoDbScanOptions): Source<Item> {
  return dynamoDbScanWith(options, {
    sleep: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }),
  });
}

/** What `dynamoDbScan` uses of its surroundings. */
export interface ScanSurroundings {
  /** @throws {Error} The signal fired. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;
  readonly segment?: ScanSettings["segment"];
}

/** `dynamoDbScan` with its own timer, for one segment or for the whole table. */
export function dynamoDbScanWith<Item>(options: DynamoDbScanOptions, surroundings: ScanSurroundings): Source<Item> {
  rejectUnknownKeys(options, Object.keys(KEYS), "dynamoDbScan(...)");
  const { table, index, values = "plain", consistentRead = false, readUnitsPerSecond } = options;
  if (typeof table !== "function") checkName("table", table);
  if (index !== undefined) checkName("index", index);
  if (values !== "plain" && values !== "dynamodb") {
    throw new ConfigurationError(`values must be "plain" or "dynamodb", but is ${show(values)}`);
  }
  booleanOption("consistentRead", consistentRead);
  checkRate(readUnitsPerSecond);
  const unsafeNumbers = unsafeNumbersOption(options.unsafeNumbers);
  const pageSize = pageSizeOption(options.pageSize);
  const filter = options.filter === undefined ? undefined : filterOf(options.filter);
  const region = regionOption(options.region);
  const scanner = new DynamoDbScanner(region);
  const segments = segmentsOption(options.segments);
  const toItem = (item: TypedItem) => readItem(item, values, unsafeNumbers);

  return {
    rights: (environment) => [
      {
        actions: ["dynamodb:Scan"],
        resources: [
          {
            service: "dynamodb",
            ...region,
            resource: `table/${tableAtSynth(table, environment)}${index === undefined ? "" : `/index/${index}`}`,
          },
        ],
      },
    ],
    async size({ signal }) {
      // DynamoDB counts the items that the filter drops, too.
      if (filter !== undefined) return undefined;
      const counted = await scanner.count({ table: tableAtSynth(table, process.env), index }, signal);
      // DynamoDB counts every few hours. Before the first time, it says 0.
      return counted === undefined || counted === 0 ? undefined : { items: counted, isExact: false };
    },
    ...(segments > 1 && { partitions: () => scanSegments(segments).map((segment) => ({ id: segmentId(segment) })) }),
    async *pages(cursor, context) {
      const name = typeof table === "function" ? tableAtSynth(table, process.env) : table;
      const { sleep } = surroundings;
      const segment = context.partition === undefined ? surroundings.segment : readSegment(context.partition.id);
      const share = segment?.totalSegments ?? 1;
      const scan: Scan = {
        scanner,
        settings: { table: name, index, consistentRead, filter, segment },
        rate: readUnitsPerSecond === undefined ? undefined : new ReadRate(readUnitsPerSecond / share),
        sleep,
        context,
      };
      for await (const page of pagesOf(scan, cursor === undefined ? undefined : readCursor(cursor), pageSize)) {
        yield { ...page, items: page.items.map(toItem) as Item[] };
      }
    },
  };
}

/** One segment of a parallel scan. */
interface ScanSegment {
  readonly segment: number;
  readonly totalSegments: number;
}

const segmentId = ({ segment, totalSegments }: ScanSegment): string => `segment ${segment} of ${totalSegments}`;

/** The segment of a partition's id. It says how many segments there were when the run began. */
function readSegment(id: string): ScanSegment | undefined {
  const [, segment, totalSegments] = /^segment (\d+) of (\d+)$/.exec(id) ?? [];
  if (segment !== undefined) return { segment: Number(segment), totalSegments: Number(totalSegments) };
  if (id === WHOLE_SOURCE) return undefined;
  throw new SourceError(
    `the partition ${show(id)} does not come from dynamoDbScan(...): the workflow's source was probably replaced. Start a ` +
      "new run",
    { permanent: true },
  );
}

/** The segments of a parallel scan. Each item is in exactly one of them. */
export function scanSegments(count: number): readonly { readonly segment: number; readonly totalSegments: number }[] {
  return Array.from({ length: count }, (_, segment) => ({ segment, totalSegments: count }));
}

interface Scan {
  readonly scanner: DynamoDbScanner;
  readonly settings: ScanSettings;
  readonly rate: ReadRate | undefined;
  readonly sleep: ScanSurroundings["sleep"];
  readonly context: ReadContext;
}

/**
 * A page ends after this many responses with items, because each of them can have 1 MB, and after this many responses in
 * total, so that a filter that holds for few items does not keep a slice from its checkpoints.
 */
const MOST_RESPONSES_OF_PAGE = { withItems: 4, total: 20 } as const;

/**
 * A scan continues after any item of its table, index or segment, given the key of the item: a cursor can lie within a
 * response.
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
 */
async function* pagesOf(
  scan: Scan,
  start: StoredKey | undefined,
  pageSize: number,
): AsyncGenerator<Page<TypedItem>, void, void> {
  let from = start === undefined ? undefined : keyOfStored(start);
  let names = start === undefined ? undefined : Object.keys(start);
  let items: TypedItem[] = [];
  let withItems = 0;
  let responses = 0;
  for (;;) {
    const response = await request(scan, from);
    const { lastKey } = response;
    if (lastKey !== undefined) names = Object.keys(lastKey);
    responses += 1;
    if (response.items.length > 0) withItems += 1;
    items.push(...response.items);
    while (items.length > pageSize) {
      names ??= await keyNames(scan);
      const page = items.slice(0, pageSize);
      items = items.slice(pageSize);
      // The rest of the response belongs to the next page.
      responses = 1;
      withItems = 1;
      yield { items: page, next: storedKey(page.at(-1) ?? {}, names) };
    }
    if (lastKey === undefined) return yield { items };
    from = lastKey;
    const isLong = responses >= MOST_RESPONSES_OF_PAGE.total || withItems >= MOST_RESPONSES_OF_PAGE.withItems;
    if (items.length < pageSize && !isLong) continue;
    yield { items, next: storedKey(lastKey, Object.keys(lastKey)) };
    items = [];
    responses = 0;
    withItems = 0;
  }
}

async function request({ scanner, settings, rate, sleep, context }: Scan, from: TypedItem | undefined, limit?: number) {
  const { signal } = context;
  const response = await scanner.scan(settings, from, limit ?? rate?.limit(), signal).catch((thrown) => {
    throw scanFailure(thrown, settings, signal);
  });
  const pause = rate?.consumed(response.units, response.scanned) ?? 0;
  if (pause > 0) {
    await sleep(pause, signal).catch((thrown) => {
      throw signal.aborted ? signal.reason : thrown;
    });
  }
  return response;
}

/**
 * The names of the attributes of a key. A response that is the whole table names no key, so a request for one item is
 * needed.
 */
async function keyNames(scan: Scan): Promise<string[]> {
  const { filter: _, ...settings } = scan.settings;
  const { lastKey } = await request({ ...scan, settings }, undefined, 1);
  if (lastKey !== undefined) return Object.keys(lastKey);
  throw new SourceError(`the scan of ${scan.settings.table} changed while its key was read: the page is read again`);
}

function readItem(item: TypedItem, values: "plain" | "dynamodb", unsafeNumbers: UnsafeNumbers): unknown {
  try {
    return values === "dynamodb" ? typedItem(item) : plainItem(item, unsafeNumbers);
  } catch (thrown) {
    return new UnreadableItem({
      raw: typedText(item),
      error: toError(thrown).message,
      at: "the item of the table, in DynamoDB's JSON",
    });
  }
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html */
function checkName(option: string, name: unknown): void {
  if (typeof name === "string" && /^[A-Za-z0-9_.-]{3,255}$/.test(name)) return;
  throw new ConfigurationError(
    `${option} must be a name of 3 to 255 characters of A-Z, a-z, 0-9, "_", "-" and ".", but is ${show(name)}: write the ` +
      "name alone, and no ARN",
  );
}

function tableAtSynth(table: TableName, environment: Environment): string {
  const name: unknown = typeof table === "function" ? table(environment) : table;
  if (typeof name === "string" && name !== "") return name;
  throw new ConfigurationError(
    `the function table returned ${show(name)}: name the variable that it reads in the workflow's option environment, and ` +
      "set the variable",
  );
}

function segmentsOption(segments: unknown): number {
  if (segments === undefined) return 1;
  return integerOption("segments", segments, {
    minimum: 1,
    maximum: MOST_PARTITIONS,
    fix: "a few segments for each producer suffice",
  });
}

function checkRate(rate: unknown): void {
  if (rate === undefined || (typeof rate === "number" && rate > 0 && Number.isFinite(rate))) return;
  throw new ConfigurationError(
    `readUnitsPerSecond must be a number above 0, but is ${show(rate)}: leave it out for no limit`,
  );
}

function filterOf(filter: ScanFilter): ScanSettings["filter"] {
  rejectUnknownKeys(filter, ["expression", "names", "values"], "filter");
  const { expression, names, values } = filter;
  if (typeof expression !== "string" || expression.trim() === "") {
    throw new ConfigurationError(
      `filter.expression must be a filter expression, but is ${show(expression)}: write "#state = :open"`,
    );
  }
  try {
    return { expression, names, values: values === undefined ? undefined : marshall(values) };
  } catch (cause) {
    throw new ConfigurationError(
      `filter.values must be values that DynamoDB can hold: ${toError(cause).message}. Use a bigint for a large integer`,
      { cause },
    );
  }
}

/** The key of the last item that was read. */
const cursorSchema = z.record(
  z.string(),
  z.union([z.strictObject({ S: z.string() }), z.strictObject({ N: z.string() }), z.strictObject({ B: z.string() })]),
);

function readCursor(cursor: Cursor): StoredKey {
  const parsed = cursorSchema.safeParse(cursor);
  if (parsed.success) return parsed.data;
  throw new SourceError(
    `the cursor ${show(cursor)} does not come from dynamoDbScan(...): the workflow's source was probably replaced. Start a ` +
      "new run",
  );
}

function scanFailure(thrown: unknown, { table, index }: ScanSettings, signal: AbortSignal): unknown {
  const what = index === undefined ? `the table ${table}` : `the index ${index} of the table ${table}`;
  const resource = `table/${table}${index === undefined ? "" : `/index/${index}`}`;
  return serviceRefusal(thrown, {
    action: `scan ${what}`,
    right: `dynamodb:Scan on ${resource}`,
    signal,
    fixes: {
      ResourceNotFoundException: "Correct the options table, index and region, or create the table",
      ValidationException: "Correct the options table, index, filter and consistentRead",
    },
  });
}
