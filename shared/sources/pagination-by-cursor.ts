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

export interface CursorFieldOptions extends AbsentFieldOptions {
  /** Where the next page's cursor stands in the body. `null`, `""`, `false` or 0: the last page. Absent: an error. */
  readonly path: Path;
  /** Where the next request takes it. */
  readonly parameter: Parameter;
  /**
   * A flag that says whether a page follows, for an API that still gives a cursor on its last page. Where it says `false`
   * the cursor may be absent. Default: the field `hasNextPage` beside the cursor, if `path` ends in `endCursor` and the
   * field is there (GraphQL connections, https://relay.dev/graphql/connections.htm). Else the cursor alone decides.
   */
  readonly hasMore?: Field;
}

/**
 * The answer holds a cursor that the next request sends back (Slack, Notion, Shopify, Airtable, GraphQL connections).
 * Page 1 is requested without a cursor.
 *
 * @throws {ConfigurationError} An option is missing, unknown or of a wrong kind.
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
      "hasMore and absentEnds both tell the last page: keep hasMore, which the API says itself",
    );
  }
  return byCursor(parameter, (page, isFirst, warn) => {
    const hasMore = options.hasMore ?? connectionFlag(page, path);
    if (hasMore !== undefined && !booleanOf(page, hasMore)) return undefined;
    const value =
      hasMore === undefined ? nextField(page, path, { absentEnds, isFirst, warn }) : promised(page, path, hasMore);
    if (value !== true) return value;
    throw new SourceError(`${nameOf(path)} of ${locate(page)} should hold a cursor, but is true: is the path right?`);
  });
}

/** The cursor of a page whose flag says that another page follows. */
function promised(page: HttpPage, path: Path, hasMore: Field): unknown {
  const value = valueAt(page.body, path);
  if (!isEmpty(value)) return value;
  const found = value === undefined ? describeAbsent(page.body, path) : `${nameOf(path)} is ${show(value)}`;
  throw new SourceError(`${nameOf(hasMore)} of ${locate(page)} says that a page follows, but ${found}`);
}

/** The flag that the GraphQL Cursor Connections Specification puts beside a forward cursor, if the page has it. */
function connectionFlag(page: HttpPage, path: Path): Field | undefined {
  if (typeof path === "function") return undefined;
  const keys = keysOf(path);
  if (keys.at(-1) !== "endCursor") return undefined;
  const flag = [...keys.slice(0, -1), "hasNextPage"];
  return typeof valueAt(page.body, flag) === "boolean" ? flag : undefined;
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

function byCursor(
  parameter: Parameter,
  cursorOf: (page: HttpPage, isFirst: boolean, warn: (message: string) => void) => unknown,
): Pagination {
  return {
    check({ body }) {
      if (typeof parameter !== "string" && body === undefined) {
        throw new ConfigurationError(
          `parameter ${show(parameter)} stands in the body, but the source has none, so page 1 would not be a POST: give ` +
            "the option body, which may be {}",
        );
      }
      checkPlace(body, parameter);
    },
    request: (start, position) => (position === undefined ? start : withParameter(start, parameter, position)),
    next: (page, position, _start, { warn }) => exact(cursorOf(page, position === undefined, warn)),
  };
}

/** JSON's numbers lose digits beyond 2^53, and the API would be asked for a page that does not exist. */
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
      `the cursor ${cursor} is too large for a number in JavaScript: take the API's text form of it, if there is one`,
    );
  }
  return cursor as ExactJson | undefined;
}
