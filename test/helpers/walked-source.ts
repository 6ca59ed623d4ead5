import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { functionFlags } from "../../local/lambda/function-flags.ts";
import {
  dynamoDbScan,
  type Page,
  postgresRows,
  type ReadContext,
  type Source,
  s3Lines,
  s3Objects,
  UnreadableItem,
} from "../../shared/sources/index.ts";

/** A source to walk, as JSON: the other process makes it. */
export type WalkedSource =
  | { readonly tag: "lines"; readonly bucket: string; readonly key: string; readonly format: "jsonl" | "csv" }
  /** With `divided`, its partitions one after the other. */
  | { readonly tag: "objects"; readonly bucket: string; readonly divided: boolean }
  | { readonly tag: "table"; readonly table: string }
  | {
      readonly tag: "rows";
      readonly table: string;
      readonly host: string;
      readonly port: number;
      readonly user: string;
    };

export interface Walk {
  readonly source: WalkedSource;
  /** Each item has a number from 0 to this one, exclusive. */
  readonly items: number;
}

/** What a walk found. */
export interface Walked {
  readonly items: number;
  /** Items whose number an earlier item had. */
  readonly twice: number;
  /** Numbers that no item had. */
  readonly missing: number;
  readonly unreadable: number;
  /** The most memory of the reading process until a tenth of the items was read, and until the end. */
  readonly megabytesAtTenth: number;
  readonly megabytesAtPeak: number;
  /**
   * What the reading process still held after a garbage collection, in its heap and outside of it: after a tenth of the items,
   * and at most after each later tenth. 0 in a process that cannot be told to collect.
   */
  readonly heldMegabytesAtTenth: number;
  readonly heldMegabytesAtPeak: number;
  readonly seconds: number;
}

function open(walked: WalkedSource): { readonly source: Source; readonly numberOf: (item: never) => number } {
  switch (walked.tag) {
    case "lines": {
      const { bucket, key, format } = walked;
      return {
        source: format === "csv" ? s3Lines({ bucket, key, format }) : s3Lines({ bucket, key, format }),
        numberOf: (item: { readonly id: unknown }) => Number(item.id),
      };
    }
    case "objects":
      return {
        source: s3Objects({ bucket: walked.bucket }),
        numberOf: (item: { readonly key: string }) => Number(item.key.slice(item.key.lastIndexOf("/") + 1)),
      };
    case "table":
      return { source: dynamoDbScan({ table: walked.table }), numberOf: (item: { readonly id: number }) => item.id };
    case "rows": {
      const { table, host, port, user } = walked;
      const connect = { host, port, user, database: "postgres" };
      return {
        source: postgresRows({ connect, table, key: "id" }),
        numberOf: (item: { readonly id: number }) => item.id,
      };
    }
  }
}

const TENTHS = 10;

/** The bytes that are in use after a garbage collection. */
function heldBytes(): number {
  if (globalThis.gc === undefined) return 0;
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Reads a source from its beginning to its end, as a producer does: page after page, and nothing is kept. */
export async function walk({ source: walked, items }: Walk): Promise<Walked> {
  const { source, numberOf } = open(walked);
  const seen = new Uint8Array(items);
  const found = { items: 0, twice: 0, unreadable: 0 };
  const held: number[] = [];
  let atTenth = 0;
  // `process.resourceUsage().maxRSS` of a child process begins with the memory of its parent.
  let peak = 0;
  const begunAt = performance.now();
  const context = { signal: new AbortController().signal, warn: () => {} };
  const isDivided = walked.tag === "objects" && walked.divided;
  for await (const page of pagesOf(source, isDivided, context) as AsyncIterable<Page<never>>) {
    for (const item of page.items) {
      found.items++;
      if ((item as unknown) instanceof UnreadableItem) found.unreadable++;
      else {
        const number = numberOf(item);
        if (seen[number] === 1) found.twice++;
        seen[number] = 1;
      }
    }
    peak = Math.max(peak, process.memoryUsage.rss());
    if (found.items < ((held.length + 1) * items) / TENTHS) continue;
    if (held.length === 0) atTenth = peak;
    held.push(heldBytes());
  }
  return {
    ...found,
    missing: seen.reduce((missing, each) => missing + (each === 0 ? 1 : 0), 0),
    megabytesAtTenth: Math.round(atTenth / 2 ** 20),
    megabytesAtPeak: Math.round(peak / 2 ** 20),
    heldMegabytesAtTenth: Math.round((held[0] ?? 0) / 2 ** 20),
    heldMegabytesAtPeak: Math.round(Math.max(0, ...held) / 2 ** 20),
    seconds: Math.round(performance.now() - begunAt) / 1_000,
  };
}

async function* pagesOf(source: Source, isDivided: boolean, context: ReadContext): AsyncGenerator<Page> {
  if (!isDivided) yield* source.pages(undefined, context);
  for (const partition of isDivided ? ((await source.partitions?.(context)) ?? []) : []) {
    yield* source.pages(partition.cursor, { ...context, partition });
  }
}

/** A producer's default. */
const FUNCTION_MEGABYTES = 512;

/** `walk` in a process of its own, whose memory is that of the source alone. It has Node's flags of a producer. */
export async function walkAlone(walked: Walk): Promise<Walked> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(walked)], {
    execArgv: ["--no-warnings", "--expose-gc", ...functionFlags(FUNCTION_MEGABYTES)],
    env: { ...process.env, SLUICE_TEST_WALKS: "1" },
  });
  const [result] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the reading process ended with ${code}`))),
  ])) as [Walked];
  child.disconnect();
  return result;
}

if (process.env.SLUICE_TEST_WALKS === "1" && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.send?.(await walk(JSON.parse(process.argv[2] ?? "")));
}
