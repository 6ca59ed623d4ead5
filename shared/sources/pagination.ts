import { SourceError } from "../base/errors.ts";
import type { ExactJson } from "../base/exact-json.ts";
import { show } from "../base/options.ts";
import type { Answer } from "./body-path.ts";
import { parseLinkHeader } from "./link-header.ts";
import type { ReadContext } from "./source.ts";

/** A JSON object: the body of a request. */
export type JsonObject = { readonly [key: string]: ExactJson };

/** What is asked for: with a body by POST, without by GET. */
export interface PageRequest {
  readonly url: URL;
  readonly body?: JsonObject | undefined;
}

/** What a pagination style sees of an answer. */
export interface HttpPage extends Answer {
  /** Where the answer came from, redirects followed. */
  readonly url: URL;
  readonly items: readonly unknown[];
}

/**
 * How an API leads from one page to the next. The styles that are known are made by `linkHeader`, `nextUrl`,
 * `cursorField`, `lastItem`, `pageNumber`, `offsetLimit` and `singlePage`; another one is an object like them.
 *
 * A position is any JSON value or bigint, `undefined` at the first page. It is kept in the cursor.
 */
export interface Pagination {
  /**
   * Checks the options of the source when it is defined, if the pagination needs something of them.
   *
   * @throws {ConfigurationError} The request has no place for what the pagination adds to it.
   */
  check?(start: Pick<PageRequest, "body">): void;
  /** The request for the page at a position. `start` is the one that the options describe. */
  request(start: PageRequest, position: ExactJson | undefined): PageRequest;
  /**
   * The position of the page after `page`, or `undefined` if it was the last. It must return `undefined` only at a sign
   * of the API that no page follows, and throw at an answer that it does not understand.
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
   * Statuses with which the API says that there is no page at a position: they end the source. Page 1 must exist, so at
   * page 1 they are an error, like any other status outside 200–299.
   */
  readonly endStatuses?: readonly number[];
}

/** An API that answers everything at once. An answer whose `Link` header has a next page is a warning in the summary. */
export const singlePage: Pagination = {
  request: (start) => start,
  next(page, _position, _start, { warn }) {
    const { links } = parseLinkHeader(page.headers.get("link") ?? "");
    if (links.some(({ rels }) => rels.includes("next"))) {
      warn(`the Link header of ${locate(page)} has a next page, which singlePage does not read: use linkHeader`);
    }
    return undefined;
  },
};

/** A cursor whose position another style made. */
export function foreignPosition(position: unknown): SourceError {
  return new SourceError(
    `the cursor's position ${show(position)} is not one of this pagination: was the workflow's source replaced? ` +
      "Start a new run",
  );
}

/** A page as a message names it. Its query may hold a secret. */
export const locate = ({ url }: Pick<HttpPage, "url">): string => `${url.origin}${url.pathname}`;
