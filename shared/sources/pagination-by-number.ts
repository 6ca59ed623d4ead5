import { ConfigurationError, SourceError } from "../base/errors.ts";
import { integerOption, rejectUnknownKeys, show } from "../base/options.ts";
import { booleanOf, checkField, type Field, keysOf, nameOf, numberOf, valueAt } from "./body-path.ts";
import { foreignPosition, type HttpPage, locate, type Pagination } from "./pagination.ts";
import { checkParameter, checkPlace, type Parameter, withParameter } from "./request-parameter.ts";

export interface PageNumberOptions {
  /** Where a request takes the page's number. Default `"page"`. */
  readonly parameter?: Parameter;
  /** The first page's number: 0 or more. Default 1. */
  readonly first?: number;
  /** Items to ask for per page: at least 1. Default: as many as the API gives unasked. */
  readonly pageSize?: number;
  /** Where a request takes `pageSize`. Default `"per_page"`. */
  readonly sizeParameter?: Parameter;
  /** Ends the reading: how many pages there are. */
  readonly totalPages?: Field;
  /** Ends the reading: whether a page follows. */
  readonly hasMore?: Field;
  /** Ends the reading at a page with fewer items than `pageSize`. Only for an API that never cuts `pageSize` down. */
  readonly shortPageEnds?: boolean;
  /**
   * Ends the reading: statuses with which the API answers a page past the end, such as `[404]`. Page 1 must exist: there
   * they are an error. Allowed are 400–499 but those that refuse the request itself (401, 403, 407, 408, 425, 429).
   */
  readonly endStatuses?: readonly number[];
}

/**
 * Pages are counted (WordPress, GitLab, Rails APIs). The last one is told by `totalPages`, `hasMore` or
 * `shortPageEnds`, whichever is given, and else by the empty page behind it, at the price of one more request. An API that
 * answers an error in place of that empty page needs `endStatuses`.
 *
 * @throws {ConfigurationError} An option is unknown or of a wrong kind.
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
  const first = integerOption("first", options.first ?? 1, { ...COUNT, minimum: 0, mend: "most APIs count from 1" });
  const size = pageSize === undefined ? undefined : integerOption("pageSize", pageSize, PAGE_SIZE);
  const shortest = shortestPage(options.shortPageEnds, size);

  return {
    endStatuses,
    check({ body }) {
      checkPlace(body, parameter);
      if (size !== undefined) checkPlace(body, sizeParameter);
    },
    request(start, position) {
      const request = withParameter(start, parameter, position === undefined ? first : counted(position));
      return size === undefined ? request : withParameter(request, sizeParameter, size);
    },
    next(page, position, _start, { warn }) {
      const number = position === undefined ? first : counted(position);
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

export interface OffsetLimitOptions {
  /** Where a request takes the number of items to pass over. Default `"offset"`. */
  readonly offset?: Parameter;
  /** Where a request takes the number of items to give. Default `"limit"`. */
  readonly limit?: Parameter;
  /** Items to ask for per page: at least 1. Default 100. */
  readonly pageSize?: number;
  /** Ends the reading: how many items there are in all. */
  readonly total?: Field;
  /** Ends the reading: whether a page follows. */
  readonly hasMore?: Field;
  /** Ends the reading at a page with fewer items than `pageSize`. Only for an API that never cuts `pageSize` down. */
  readonly shortPageEnds?: boolean;
  /**
   * Ends the reading: statuses with which the API answers a page past the end, such as `[404]`. Page 1 must exist: there
   * they are an error. Allowed are 400–499 but those that refuse the request itself (401, 403, 407, 408, 425, 429).
   */
  readonly endStatuses?: readonly number[];
}

/**
 * Pages are a range of the items (many SQL-backed APIs; Elasticsearch's `from` and `size`). The last one is told by
 * `total`, `hasMore` or `shortPageEnds`, whichever is given, and else by the empty page behind it, at the price of one
 * more request. An API that answers an error in place of that empty page needs `endStatuses`.
 *
 * The offset rises by the items that came, not by `pageSize`: an API may give fewer than were asked for. So the option
 * `items` of `httpPages` must not leave any out.
 *
 * @throws {ConfigurationError} An option is unknown or of a wrong kind.
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
          `page 1 of ${locate(page)} is taken for the only page: ${nameOf(total)} is ${count}, which is also the number ` +
            "of items on page 1. Is it the count of the page?",
        );
      }
      if (read >= count && isLowerBound(page, total)) {
        throw new SourceError(
          `${nameOf(total)} of ${locate(page)} is ${count}, a lower bound (its relation is "gte"), so more items may follow: ` +
            "ask for the exact total, in Elasticsearch with track_total_hits: true in the body",
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
      const request = withParameter(start, offset, position === undefined ? 0 : counted(position));
      return withParameter(request, limit, size);
    },
    next(page, position, _start, { warn }) {
      const read = (position === undefined ? 0 : counted(position)) + page.items.length;
      if (!follows(page, read, warn)) return undefined;
      if (page.items.length > 0) return read;
      throw new SourceError(
        `the page at offset ${read} is empty, though ${total === undefined ? "hasMore" : "total"} says that items ` +
          "follow: leave that option out if an empty page may end the reading",
      );
    },
  };
}

const COUNT = { maximum: Number.MAX_SAFE_INTEGER };
const PAGE_SIZE = { ...COUNT, minimum: 1, mend: "look up how many the API gives at the most" };

function checkOneEnd(ends: Readonly<Record<string, unknown>>): void {
  const given = Object.keys(ends).filter((option) => ends[option] !== undefined);
  if (given.length > 1) {
    throw new ConfigurationError(
      `one option at the most may tell the last page, but ${given.join(" and ")} are given: keep the most reliable one`,
    );
  }
  const [option = ""] = given;
  if (option !== "" && option !== "shortPageEnds") checkField(option, ends[option]);
}

function contradiction(page: HttpPage, field: Field, count: number, where: string): SourceError {
  return new SourceError(
    `${nameOf(field)} of ${locate(page)} is ${count}, but ${where} has items (${page.items.length}): is it another count?`,
  );
}

/**
 * Whether a total is only known to be at least so large, as Elasticsearch says beside it:
 * https://www.elastic.co/guide/en/elasticsearch/reference/current/search-your-data.html#track-total-hits
 */
function isLowerBound({ body }: HttpPage, total: Field): boolean {
  if (typeof total !== "string" && !Array.isArray(total)) return false;
  return valueAt(body, [...keysOf(total).slice(0, -1), "relation"]) === "gte";
}

/**
 * An API may give fewer items than it is asked for, and say nothing. Then page 1 has as many as the API gives at most,
 * which is a round number.
 */
function warnOfShortPage(page: HttpPage, pageSize: number, warn: (message: string) => void): void {
  const { length } = page.items;
  if (pageSize === 1 || length === 0 || length % 10 !== 0) return;
  warn(
    `page 1 of ${locate(page)} has exactly ${length} of ${pageSize} items, and is taken for the only page ` +
      `(shortPageEnds): does the API give more than ${length} items a page?`,
  );
}

/** They refuse the request itself, and say nothing about where the source ends. */
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
      `endStatuses must be a list of statuses from 400 to 499, but is ${show(statuses)}: give those of a page past the ` +
        `end, such as [404]. ${REFUSALS.join(", ")} cannot end a source, because they refuse the request itself`,
    );
  }
  const other = Object.keys(otherEnds).find((option) => otherEnds[option] !== undefined);
  if (other === undefined) return [...statuses];
  throw new ConfigurationError(
    `endStatuses and ${other} both tell the last page: keep ${other}, so that an error is never taken for the end`,
  );
}

/** The fewest items of a page that is not the last. */
function shortestPage(shortPageEnds: unknown, pageSize: number | undefined): number {
  if (shortPageEnds !== undefined && typeof shortPageEnds !== "boolean") {
    throw new ConfigurationError(
      `shortPageEnds must be true or false, but is ${show(shortPageEnds)}: give one of them`,
    );
  }
  if (!shortPageEnds) return 1;
  if (pageSize !== undefined) return pageSize;
  throw new ConfigurationError("shortPageEnds needs pageSize, to tell what is short: give pageSize, too");
}

function counted(position: unknown): number {
  if (typeof position === "number" && Number.isSafeInteger(position) && position >= 0) return position;
  throw foreignPosition(position);
}
