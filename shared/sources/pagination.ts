import { SourceError } from "../base/errors.ts";
import type { ExactJson } from "../base/exact-json.ts";
import { show } from "../base/options.ts";
import type { Answer } from "./body-path.ts";
import { parseLinkHeader } from "./link-header.ts";
import type { ReadContext } from "./source.ts";

/**
 * A JSON object: the body of a request.
 *
 * @example `{ query: "{ users { id } }", variables: { first: 100 } }`
 */
export type JsonObject = { readonly [key: string]: ExactJson };

/** A request for a page. A request with a body is a POST, and a request without a body is a GET. */
export interface PageRequest {
  readonly url: URL;
  readonly body?: JsonObject | undefined;
}

/** A response, as Sluice passes it to a pagination. */
export interface HttpPage extends Answer {
  /** The URL that the response came from, after redirects. */
  readonly url: URL;
  /** The items of the page. */
  readonly items: readonly unknown[];
}

/**
 * How an API leads from one page to the next. Sluice contains the common kinds of pagination: `linkHeader`, `nextUrl`,
 * `cursorField`, `lastItem`, `pageNumber`, `offsetLimit` and `singlePage`. For any other kind, write an object with
 * these functions.
 *
 * A position identifies a page: any JSON value or bigint, and `undefined` for the first page. Sluice stores it in the
 * cursor.
 *
 * @example
 * ```ts
 * // The API returns the number of the next page in the header X-Next.
 * const nextHeader: Pagination = {
 *   request: (start, position) => {
 *     const url = new URL(start.url);
 *     url.searchParams.set("page", String(position ?? 1));
 *     return { ...start, url };
 *   },
 *   next: ({ headers }) => {
 *     const next = headers.get("x-next");
 *     if (next === null) throw new Error("the header X-Next is missing");
 *     return next === "none" ? undefined : next;
 *   },
 * };
 * ```
 */
export interface Pagination {
  /**
   * Checks the options of the source when the source is defined. Needed only if the pagination depends on these
   * options.
   *
   * @throws {ConfigurationError} The request has no place for the value that the pagination adds to it.
   */
  check?(start: Pick<PageRequest, "body">): void;
  /**
   * Makes the request for the page at a position.
   *
   * @param start The request that the options `url` and `body` describe.
   * @param position `undefined` for the first page.
   */
  request(start: PageRequest, position: ExactJson | undefined): PageRequest;
  /**
   * Returns the position of the page after `page`, or `undefined` if `page` was the last.
   *
   * Return `undefined` only if the API says that no page follows. Throw if the response is not as expected.
   *
   * @param position The position of `page` itself.
   */
  next(
    page: HttpPage,
    position: ExactJson | undefined,
    start: PageRequest,
    context: ReadContext,
  ): ExactJson | undefined;
  /**
   * HTTP statuses with which the API says that no page exists at a position. They end the source. On page 1 they are an
   * error, like any other status outside 200–299, because page 1 must exist. Default: none.
   */
  readonly endStatuses?: readonly number[];
}

/**
 * Pagination of an API that returns all items in one response. If the response has a `Link` header with a next page,
 * the run's summary shows a warning.
 *
 * @example `next: singlePage`
 */
export const singlePage: Pagination = {
  request: (start) => start,
  next(page, _position, _start, { warn }) {
    const { links } = parseLinkHeader(page.headers.get("link") ?? "");
    if (links.some(({ rels }) => rels.includes("next"))) {
      warn(`the Link header of ${locate(page)} names a next page, which singlePage does not read: use linkHeader`);
    }
    return undefined;
  },
};

/** The error for a position that a different pagination made. */
export function foreignPosition(position: unknown): SourceError {
  return new SourceError(
    `the cursor's position ${show(position)} does not come from this pagination: the workflow's source was probably ` +
      "replaced. Start a new run",
  );
}

/** The name of a page for messages: its URL without the query, which may contain a secret. */
export const locate = ({ url }: Pick<HttpPage, "url">): string => `${url.origin}${url.pathname}`;
