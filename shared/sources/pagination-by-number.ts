import { ConfigurationError, SourceError } from "../base/errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import { booleanOf, checkField, type Field, keysOf, nameOf, numberOf, valueAt } from "./body-path.ts";
import { foreignPosition, type HttpPage, locate, type Pagination } from "./pagination.ts";
import { checkParameter, checkPlace, type Parameter, withParameter } from "./request-parameter.ts";

/** Options of `pageNumber`. At most one of `totalPages`, `hasMore` and `shortPageEnds` may be set. */
export interface PageNumberOptions {
  /** The place of the page number in a request. Default `"page"`. */
  readonly parameter?: Parameter;
  /** The number of the first page: 0 or more. Default 1. */
  readonly first?: number;
  /** Number of items to request in each page: at least 1. Default: the API's own page size. */
  readonly pageSize?: number;
  /** The place of `pageSize` in a request. Default `"per_page"`. */
  readonly sizeParameter?: Parameter;
  /** The place of the total number of pages. The page with that number is the last. */
  readonly totalPages?: Field;
  /** The place of a flag that says whether a page follows. */
  readonly hasMore?: Field;
  /**
   * Whether a page with fewer items than `pageSize` is the last. Set it only for an API that never returns fewer items
   * than requested before the end. Default `false`.
   */
  readonly shortPageEnds?: boolean;
  /**
   * Statuses with which the API answers a request beyond the last page, such as `[404]`. They end the source. On page 1
   * they are an error, because page 1 must exist. Statuses from 400 to 499 are allowed, except those that refuse the
   * request itself (401, 403, 407, 408, 425, 429). Default: none.
   */
  readonly endStatuses?: readonly number[];
}

/**
 * Pagination by a page number (WordPress, GitLab, Rails APIs). The option `totalPages`, `hasMore` or `shortPageEnds`
 * says which page is the last. Without these options an empty page ends the source, which costs one more request. An
 * API that answers with an error instead of the empty page needs `endStatuses`.
 *
 * @throws {ConfigurationError} An option is unknown, of the wrong type or out of range, or two options mark the last
 *   page.
 *
 * @example
 * ```ts
 * next: pageNumber({ pageSize: 100, totalPages: { header: "X-WP-TotalPages" } }),
 * next: pageNumber({ endStatuses: [404] }),
 * ```
 */
export function pageNumber(options: PageNumberOptions = {}): Pagination {
  const known = [
    "parameter",
    "first",
    "pageSize",
    "sizeParameter",
    "totalPages",
    "hasMore",
    "shortPageEnds",
    "endStatuses",
  ];
  rejectUnknownKeys(options, known, "pageNumber(...)");
  const { parameter = "page", sizeParameter = "per_page", totalPages, hasMore, pageSize } = options;
  checkParameter("parameter", parameter);
  checkParameter("sizeParameter", sizeParameter);
  checkOneEnd({ totalPages, hasMore, shortPageEnds: options.shortPageEnds || undefined });
  const endStatuses = endStatusesOf(options.endStatuses, { totalPages, hasMore });
  const first = integerOption("first", options.first ?? 1, { ...COUNT, minimum: 0, fix: "most APIs count from 1" });
  const size = pageSize === undefined ? undefined : integerOption("pageSize", pageSize, PAGE_SIZE);
  const shortest = shortestPage(options.shortPageEnds, size);

  return {
    endStatuses,
    check({ body }) {
      checkPlace(body, parameter);
      if (size !== undefined) checkPlace(body, sizeParameter);
    },
    request(start, position) {
      const request = withParameter(start, parameter, position === undefined ? first : countOf(position));
      return size === undefined ? request : withParameter(request, sizeParameter, size);
    },
    next(page, position, _start, { warn }) {
      const number = position === undefined ? first : countOf(position);
      if (totalPages !== undefined) {
        const pages = numberOf(page, totalPages);
        if (pages < number - first + 1 && page.items.length > 0) {
          throw contradiction(page, totalPages, pages, `page ${number}`);
        }
        return number - first + 1 < pages ? number + 1 : undefined;
      }
      if (hasMore !== undefined) return booleanOf(page, hasMore) ? number + 1 : undefined;
      if (page.items.length >= shortest) return number + 1;
      if (number === first) warnOfShortPage(page, shortest, warn);
      return undefined;
    },
  };
}

/** Options of `offsetLimit`. At most one of `total`, `hasMore` and `shortPageEnds` may be set. */
export interface OffsetLimitOptions {
  /** The place of the number of items to skip in a request. Default `"offset"`. */
  readonly offset?: Parameter;
  /** The place of the number of items to return in a request. Default `"limit"`. */
  readonly limit?: Parameter;
  /** Number of items to request in each page: at least 1. Default 100. */
  readonly pageSize?: number;
  /** The place of the total number of items. Reading ends when Sluice has read that many items. */
  readonly total?: Field;
  /** The place of a flag that says whether a page follows. */
  readonly hasMore?: Field;
  /**
   * Whether a page with fewer items than `pageSize` is the last. Set it only for an API that never returns fewer items
   * than requested before the end. Default `false`.
   */
  readonly shortPageEnds?: boolean;
  /**
   * Statuses with which the API answers a request beyond the last page, such as `[404]`. They end the source. On page 1
   * they are an error, because page 1 must exist. Statuses from 400 to 499 are allowed, except those that refuse the
   * request itself (401, 403, 407, 408, 425, 429). Default: none.
   */
  readonly endStatuses?: readonly number[];
}

/**
 * Pagination by an offset and a number of items (many SQL-backed APIs; Elasticsearch's `from` and `size`). The option
 * `total`, `hasMore` or `shortPageEnds` says which page is the last. Without these options an empty page ends the
 * source, which costs one more request. An API that answers with an error instead of the empty page needs
 * `endStatuses`.
 *
 * The offset grows by the number of items that the page had, and not by `pageSize`, because an API may return fewer
 * items than requested. So the option `items` of `httpPages` must return all items of the page.
 *
 * @throws {ConfigurationError} An option is unknown, of the wrong type or out of range, or two options mark the last
 *   page.
 *
 * @example
 * ```ts
 * next: offsetLimit({ pageSize: 500, total: "meta.total" }),
 * next: offsetLimit({ offset: { body: "from" }, limit: { body: "size" }, total: "hits.total.value" }),
 * ```
 */
export function offsetLimit(options: OffsetLimitOptions = {}): Pagination {
  const known = ["offset", "limit", "pageSize", "total", "hasMore", "shortPageEnds", "endStatuses"];
  rejectUnknownKeys(options, known, "offsetLimit(...)");
  const { offset = "offset", limit = "limit", total, hasMore } = options;
  checkParameter("offset", offset);
  checkParameter("limit", limit);
  checkOneEnd({ total, hasMore, shortPageEnds: options.shortPageEnds || undefined });
  const endStatuses = endStatusesOf(options.endStatuses, { total, hasMore });
  const size = integerOption("pageSize", options.pageSize ?? 100, PAGE_SIZE);
  const shortest = shortestPage(options.shortPageEnds, size);

  const follows = (page: HttpPage, read: number, warn: (message: string) => void): boolean => {
    const isFirst = read === page.items.length;
    if (total !== undefined) {
      const count = numberOf(page, total);
      if (count < read && page.items.length > 0) {
        throw contradiction(page, total, count, `the page that ends at item ${read}`);
      }
      if (isFirst && count === size && read === size) {
        warn(
          `page 1 of ${locate(page)} counts as the only page: ${nameOf(total)} is ${count}, which is also the number ` +
            "of items on page 1. Check whether the field counts only the items of the page",
        );
      }
      if (read >= count && isLowerBound(page, total)) {
        throw new SourceError(
          `${nameOf(total)} of ${locate(page)} is ${count}, a lower bound (its relation is "gte"), so more items may follow: ` +
            "request the exact total, in Elasticsearch with track_total_hits: true in the body",
        );
      }
      return read < count;
    }
    if (hasMore !== undefined) return booleanOf(page, hasMore);
    if (page.items.length < shortest && isFirst) warnOfShortPage(page, shortest, warn);
    return page.items.length >= shortest;
  };
  return {
    endStatuses,
    check({ body }) {
      checkPlace(body, offset);
      checkPlace(body, limit);
    },
    request(start, position) {
      const request = withParameter(start, offset, position === undefined ? 0 : countOf(position));
      return withParameter(request, limit, size);
    },
    next(page, position, _start, { warn }) {
      const read = (position === undefined ? 0 : countOf(position)) + page.items.length;
      if (!follows(page, read, warn)) return undefined;
      if (page.items.length > 0) return read;
      throw new SourceError(
        `the page at offset ${read} is empty, although ${total === undefined ? "hasMore" : "total"} says that items ` +
          "follow: leave that option out if an empty page is the end of the source",
      );
    },
  };
}

const COUNT = { maximum: Number.MAX_SAFE_INTEGER };
const PAGE_SIZE = { ...COUNT, minimum: 1, fix: "use the largest page size that the API allows" };

function checkOneEnd(ends: Readonly<Record<string, unknown>>): void {
  const given = Object.keys(ends).filter((option) => ends[option] !== undefined);
  if (given.length > 1) {
    throw new ConfigurationError(
      `at most one option may mark the last page, but ${given.join(" and ")} are set: keep the most reliable one`,
    );
  }
  const [option = ""] = given;
  if (option !== "" && option !== "shortPageEnds") checkField(option, ends[option]);
}

function contradiction(page: HttpPage, field: Field, count: number, where: string): SourceError {
  return new SourceError(
    `${nameOf(field)} of ${locate(page)} is ${count}, but ${where} has items (${page.items.length}): check whether the ` +
      "field counts something else",
  );
}

/**
 * Whether a total is only a lower bound. In Elasticsearch, the field `relation` next to the total says so:
 * https://www.elastic.co/guide/en/elasticsearch/reference/current/search-your-data.html#track-total-hits
 */
function isLowerBound({ body }: HttpPage, total: Field): boolean {
  if (typeof total !== "string" && !Array.isArray(total)) return false;
  return valueAt(body, [...keysOf(total).slice(0, -1), "relation"]) === "gte";
}

/**
 * Warns if page 1 is short and its number of items is a round number. Such a page probably has the API's largest page
 * size: the API returned fewer items than requested, and more pages follow.
 */
function warnOfShortPage(page: HttpPage, pageSize: number, warn: (message: string) => void): void {
  const { length } = page.items;
  if (pageSize === 1 || length === 0 || length % 10 !== 0) return;
  warn(
    `page 1 of ${locate(page)} has exactly ${length} of ${pageSize} items, and counts as the only page ` +
      `(shortPageEnds): check whether the API ever returns more than ${length} items in a page`,
  );
}

/** Statuses that refuse the request itself. They say nothing about the end of the source. */
const REFUSALS = [401, 403, 407, 408, 425, 429];

function endStatusesOf(statuses: unknown, otherEnds: Readonly<Record<string, unknown>>): readonly number[] {
  if (statuses === undefined) return [];
  const ends = (status: unknown): status is number =>
    typeof status === "number" &&
    Number.isInteger(status) &&
    status >= 400 &&
    status < 500 &&
    !REFUSALS.includes(status);
  if (!Array.isArray(statuses) || statuses.length === 0 || !statuses.every(ends)) {
    throw new ConfigurationError(
      `endStatuses must be a list of statuses from 400 to 499, but is ${show(statuses)}: list the statuses of a page beyond ` +
        `the end, such as [404]. ${REFUSALS.join(", ")} cannot end a source, because they refuse the request itself`,
    );
  }
  const other = Object.keys(otherEnds).find((option) => otherEnds[option] !== undefined);
  if (other === undefined) return [...statuses];
  throw new ConfigurationError(
    `endStatuses and ${other} both mark the last page: keep ${other}, so that an error can never end the source`,
  );
}

/** The fewest items of a page that is not the last. */
function shortestPage(shortPageEnds: unknown, pageSize: number | undefined): number {
  if (shortPageEnds !== undefined && typeof shortPageEnds !== "boolean") {
    throw new ConfigurationError(
      `shortPageEnds must be true or false, but is ${show(shortPageEnds)}: use one of these`,
    );
  }
  if (!shortPageEnds) return 1;
  if (pageSize !== undefined) return pageSize;
  throw new ConfigurationError("shortPageEnds needs pageSize, which says when a page is short: set pageSize, too");
}

function countOf(position: unknown): number {
  if (typeof position === "number" && Number.isSafeInteger(position) && position >= 0) return position;
  throw foreignPosition(position);
}
