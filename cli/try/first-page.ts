import { fromStoredText } from "../../shared/base/exact-json.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { chunks } from "../../shared/producer/chunks.ts";
import type { Serialised } from "../../shared/producer/serialised.ts";
import type { Cursor, Source } from "../../shared/sources/source.ts";

/** The first page of a source. */
export interface FirstPage {
  readonly items: readonly Serialised[];
  /** Where the next page begins. `undefined`: the source ends with this page. */
  readonly next: Cursor | undefined;
  readonly warnings: readonly string[];
}

/**
 * Reads the first page of a workflow's source, with the checks of the producer, and no other page.
 *
 * @throws {SourceError} The source threw, or yielded something that is not a page.
 * @throws {SourceWait} The service asked the source to wait.
 */
export async function readFirstPage({ source }: Pick<Workflow, "source">): Promise<FirstPage> {
  const stop = new AbortController();
  const warnings = new Set<string>();
  const items: Serialised[] = [];
  let next: Cursor | undefined;
  const reading = {
    signal: stop.signal,
    warn: (text: string) => void warnings.add(text),
    now: Date.now,
    onWait: () => {},
  };
  const beginning = { cursor: undefined, loop: undefined, skip: 0, items: 0 };
  for await (const chunk of chunks(firstPageOf(source), beginning, reading)) {
    items.push(...chunk.items);
    // A page with many items is divided into several chunks.
    if (chunk.after.skip > 0) continue;
    next = chunk.after.cursor;
    break;
  }
  stop.abort();
  return { items, next, warnings: [...warnings] };
}

/** A source that yields the first page of another one. The page that the producer reads ahead is never there. */
function firstPageOf(source: Source): Source {
  return {
    ...source,
    async *pages(cursor, context) {
      for await (const page of source.pages(cursor, context)) {
        yield page;
        return;
      }
    },
  };
}

/** The items of a page that are JSON, as values. */
export const valuesOf = (items: readonly Serialised[]): readonly unknown[] =>
  items.flatMap((item) => ("json" in item ? [fromStoredText(item.json)] : []));
