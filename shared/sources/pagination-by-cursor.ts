import { ConfigurationError, SourceError } from "../base/errors.ts";
import { type ExactJson, findUnsafeNumber } from "../base/exact-json.ts";
import { booleanOption, rejectUnknownKeys, show } from "../base/options.ts";
import {
  booleanOf,
  checkField,
  checkPath,
  describeAbsent,
  type Field,
  keysOf,
  keysSeen,
  nameOf,
  type Path,
  valueAt,
} from "./body-path.ts";
import { type AbsentFieldOptions, isEmpty, nextField } from "./next-field.ts";
import { type HttpPage, locate, type Pagination } from "./pagination.ts";
import { checkParameter, checkPlace, type Parameter, withParameter } from "./request-parameter.ts";

/** Options of `cursorField`. */
export interface CursorFieldOptions extends AbsentFieldOptions {
  /**
   * The place of the next page's cursor in the body. `null`, `""`, `false` or 0 mean that the page is the last. If the
   * field is absent, the page is an error (see `absentEnds`).
   */
  readonly path: Path;
  /** The place of the cursor in the next request. */
  readonly parameter: Parameter;
  /**
   * The place of a flag that says whether a page follows. Use it for an API that still sends a cursor on its last page.
   * If the flag is `false`, the cursor may be absent. Default: the cursor alone decides, except for GraphQL connections
   * (https://relay.dev/graphql/connections.htm). If `path` ends in `endCursor` and the same object has the field
   * `hasNextPage`, that field is the flag.
   */
  readonly hasMore?: Field;
}

/**
 * Pagination by a cursor that the response contains and the next request sends back (Slack, Notion, Shopify, Airtable,
 * GraphQL connections). The request for page 1 has no cursor.
 *
 * @throws {ConfigurationError} An option is missing, unknown or of the wrong type.
 *
 * @example
 * ```ts
 * next: cursorField({ path: "response_metadata.next_cursor", parameter: "cursor" }),
 * next: cursorField({ path: "data.users.pageInfo.endCursor", parameter: { body: "variables.after" } }),
 * ```
 */
export function cursorField(options: CursorFieldOptions): Pagination {
  rejectUnknownKeys(options, ["path", "parameter", "hasMore", "absentEnds"], "cursorField(...)");
  const { path, parameter } = options;
  const absentEnds = booleanOption("absentEnds", options.absentEnds ?? false);
  checkPath("path", path);
  checkParameter("parameter", parameter);
  if (options.hasMore !== undefined) checkField("hasMore", options.hasMore);
  if (options.hasMore !== undefined && absentEnds) {
    throw new ConfigurationError(
      "hasMore and absentEnds both mark the last page: remove absentEnds, because hasMore is what the API says itself",
    );
  }
  return byCursor(parameter, (page, isFirst, warn) => {
    const hasMore = options.hasMore ?? connectionFlag(page, path);
    if (hasMore !== undefined && !booleanOf(page, hasMore)) return undefined;
    const value =
      hasMore === undefined
        ? nextField(page, path, { absentEnds, isFirst, warn })
        : requiredCursor(page, path, hasMore);
    if (value !== true) return value;
    throw new SourceError(`${nameOf(path)} of ${locate(page)} must hold a cursor, but is true: check the path`);
  });
}

/** Returns the cursor of a page whose flag says that another page follows. */
function requiredCursor(page: HttpPage, path: Path, hasMore: Field): unknown {
  const value = valueAt(page.body, path);
  if (!isEmpty(value)) return value;
  const found = value === undefined ? describeAbsent(page.body, path) : `${nameOf(path)} is ${show(value)}`;
  throw new SourceError(`${nameOf(hasMore)} of ${locate(page)} says that a page follows, but ${found}`);
}

/** Finds the flag that belongs to a cursor in the GraphQL Cursor Connections Specification, if the page has it. */
function connectionFlag(page: HttpPage, path: Path): Field | undefined {
  if (typeof path === "function") return undefined;
  const keys = keysOf(path);
  if (keys.at(-1) !== "endCursor") return undefined;
  const flag = [...keys.slice(0, -1), "hasNextPage"];
  return typeof valueAt(page.body, flag) === "boolean" ? flag : undefined;
}

/** Options of `lastItem`. */
export interface LastItemOptions {
  /** The place of the cursor in an item, such as `"id"`. */
  readonly path: Path;
  /** The place of the cursor in the next request, such as `"starting_after"`. */
  readonly parameter: Parameter;
  /** The place of a flag that says whether a page follows. Default: an empty page is the last page. */
  readonly hasMore?: Field;
}

/**
 * Pagination in which the next page starts after the last item of the current page (Stripe, Mastodon, Elasticsearch's
 * `search_after`).
 *
 * @throws {ConfigurationError} An option is missing, unknown or of the wrong type.
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
      throw new SourceError("hasMore says that a page follows, but this page is empty, so there is no last item");
    throw new SourceError(`${nameOf(path)} is not in the last item: ${keysSeen(last)}`);
  });
}

function byCursor(
  parameter: Parameter,
  cursorOf: (page: HttpPage, isFirst: boolean, warn: (message: string) => void) => unknown,
): Pagination {
  return {
    check({ body }) {
      if (typeof parameter !== "string" && body === undefined) {
        throw new ConfigurationError(
          `parameter ${show(parameter)} is a field of the body, but the source has no body, so page 1 would not be a POST: ` +
            "set the option body, which may be {}",
        );
      }
      checkPlace(body, parameter);
    },
    request: (start, position) => (position === undefined ? start : withParameter(start, parameter, position)),
    next: (page, position, _start, { warn }) => exact(cursorOf(page, position === undefined, warn)),
  };
}

/**
 * Returns a cursor unchanged, or throws if it contains a number that JavaScript would round. A rounded cursor would
 * request a page that does not exist.
 */
function exact(cursor: unknown): ExactJson | undefined {
  const unsafe = findUnsafeNumber(cursor);
  if (unsafe !== undefined) {
    throw new SourceError(
      `the cursor holds ${unsafe.source}, which JavaScript would alter: set unsafeNumbers of httpPages to "text" or "bigint"`,
      { permanent: true },
    );
  }
  if (typeof cursor === "number" && !Number.isSafeInteger(cursor) && Number.isInteger(cursor)) {
    throw new SourceError(
      `the cursor ${cursor} is too large for a number in JavaScript: use the field in which the API sends it as text, if any`,
    );
  }
  return cursor as ExactJson | undefined;
}
