import { SourceError } from "../errors.ts";
import type { Json } from "../json.ts";
import { rejectUnknownKeys, show } from "../options.ts";
import { booleanOf, checkField, checkPath, type Field, keysSeen, nameOf, type Path, valueAt } from "./body-path.ts";
import type { HttpPage, Pagination } from "./pagination.ts";
import { checkParameter, type Parameter, withParameter } from "./request-parameter.ts";

export interface CursorFieldOptions {
  /** Where the next page's cursor stands in the body. Absent, `null`, `false`, `""` or 0: the last page. */
  readonly path: Path;
  /** Where the next request takes it. */
  readonly parameter: Parameter;
  /** A flag that tells whether a page follows, if the API still gives a cursor on the last one. */
  readonly hasMore?: Field;
}

/**
 * The answer holds a cursor that the next request sends back (Slack, Notion, Shopify, Airtable, GraphQL connections).
 *
 * @throws {ConfigurationError} An option is missing, unknown or of a wrong kind.
 *
 * @example
 * ```ts
 * next: cursorField({ path: "response_metadata.next_cursor", parameter: "cursor" }),
 * next: cursorField({ path: "data.users.pageInfo.endCursor", parameter: { body: "variables.after" },
 *                     hasMore: "data.users.pageInfo.hasNextPage" }),
 * ```
 */
export function cursorField(options: CursorFieldOptions): Pagination {
  rejectUnknownKeys(options, ["path", "parameter", "hasMore"], "cursorField(...)");
  const { path, parameter, hasMore } = options;
  checkPath("path", path);
  checkParameter("parameter", parameter);
  if (hasMore !== undefined) checkField("hasMore", hasMore);
  return byCursor(parameter, (page) => {
    if (hasMore !== undefined && !booleanOf(page, hasMore)) return undefined;
    const value = valueAt(page.body, path);
    const ended = value === undefined || value === null || value === false || value === "" || value === 0;
    if (!ended) return value;
    if (hasMore === undefined) return undefined;
    throw new SourceError(`${nameOf(hasMore)} says that a page follows, but ${nameOf(path)} is ${show(value)}`);
  });
}

export interface LastItemOptions {
  /** Where the cursor stands in an item, such as `"id"`. */
  readonly path: Path;
  /** Where the next request takes it, such as `"starting_after"`. */
  readonly parameter: Parameter;
  /** A flag that tells whether a page follows. Without it, an empty page is the last. */
  readonly hasMore?: Field;
}

/**
 * The next page starts after the last item of this one (Stripe, Mastodon, Elasticsearch's `search_after`).
 *
 * @throws {ConfigurationError} An option is missing, unknown or of a wrong kind.
 *
 * @example
 * ```ts
 * next: lastItem({ path: "id", parameter: "starting_after", hasMore: "has_more" }),
 * next: lastItem({ path: "sort", parameter: { body: "search_after" } }),
 * ```
 */
export function lastItem(options: LastItemOptions): Pagination {
  rejectUnknownKeys(options, ["path", "parameter", "hasMore"], "lastItem(...)");
  const { path, parameter, hasMore } = options;
  checkPath("path", path);
  checkParameter("parameter", parameter);
  if (hasMore !== undefined) checkField("hasMore", hasMore);
  return byCursor(parameter, (page) => {
    const more = hasMore === undefined ? page.items.length > 0 : booleanOf(page, hasMore);
    if (!more) return undefined;
    const last = page.items.at(-1);
    const value = valueAt(last, path);
    if (value !== undefined && value !== null) return value;
    if (last === undefined)
      throw new SourceError("hasMore says that a page follows, but this one is empty: there is no last item");
    throw new SourceError(`${nameOf(path)} is not in the last item: ${keysSeen(last)}`);
  });
}

function byCursor(parameter: Parameter, cursorOf: (page: HttpPage) => unknown): Pagination {
  return {
    request: (start, position) => (position === undefined ? start : withParameter(start, parameter, position)),
    next: (page) => exact(cursorOf(page)),
  };
}

/** JSON's numbers lose digits beyond 2^53, and the API would be asked for a page that does not exist. */
function exact(cursor: unknown): Json | undefined {
  if (typeof cursor === "number" && !Number.isSafeInteger(cursor) && Number.isInteger(cursor)) {
    throw new SourceError(
      `the cursor ${cursor} is too large for a number in JavaScript: take the API's text form of it, if there is one`,
    );
  }
  return cursor as Json | undefined;
}
