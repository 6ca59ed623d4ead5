import LinkHeader from "http-link-header";
import { SourceError, toError } from "../errors.ts";
import type { Json } from "../json.ts";
import { rejectUnknownKeys, show } from "../options.ts";
import { checkPath, nameOf, type Path, valueAt } from "./body-path.ts";
import { foreignPosition, type HttpPage, type PageRequest, type Pagination } from "./pagination.ts";

/**
 * The next page is the one of the header `Link: <…>; rel="next"` (GitHub, GitLab, WordPress, RFC 8288). No such link:
 * the last page.
 *
 * @example `next: linkHeader`
 */
export const linkHeader: Pagination = byLink(({ headers, url }) => {
  const header = headers.get("link");
  if (header === null) return undefined;
  try {
    return LinkHeader.parse(header).rel("next")[0]?.uri;
  } catch (thrown) {
    throw new SourceError(
      `the Link header of ${url.origin}${url.pathname} cannot be read (${toError(thrown).message}): ${show(header)}`,
      { cause: thrown },
    );
  }
});

/**
 * The next page's URL stands in the body (Django REST framework: `"next"`; JSON:API: `"links.next"`; OData:
 * `["@odata.nextLink"]`). It may be relative, and an object with an `href`. Absent, `null` or empty: the last page.
 *
 * @throws {ConfigurationError} `path` is no path.
 *
 * @example `next: nextUrl({ path: "links.next" })`
 */
export function nextUrl(options: { readonly path: Path }): Pagination {
  rejectUnknownKeys(options, ["path"], "nextUrl(...)");
  const { path } = options;
  checkPath("path", path);
  return byLink(({ body }) => {
    const value = valueAt(body, path);
    const link = typeof value === "object" && value !== null && "href" in value ? value.href : value;
    if (link === undefined || link === null || link === "") return undefined;
    if (typeof link === "string") return link;
    throw new SourceError(`${nameOf(path)} should be the next page's URL, but is ${show(link)}: is the path right?`);
  });
}

function byLink(linkOf: (page: HttpPage) => string | undefined): Pagination {
  return {
    request: (start, position) => (position === undefined ? start : { ...start, url: urlAt(position, start) }),
    next(page, _position, start) {
      const link = linkOf(page);
      return link === undefined ? undefined : positionOf(link, page.url, start.url);
    },
  };
}

/**
 * Path and query of a URL of the same origin as the first page's; another one in full. So a run goes on when the API's
 * host or port has changed in between.
 */
function positionOf(link: string, current: URL, start: URL): string {
  if (!URL.canParse(link, current.href)) throw new SourceError(`the next page's link is no URL: ${show(link)}`);
  const url = new URL(link, current);
  url.hash = "";
  return url.origin === start.origin ? `${url.pathname}${url.search}` : url.href;
}

function urlAt(position: Json, { url: start }: PageRequest): URL {
  if (typeof position !== "string" || position === "") throw foreignPosition(position);
  // Joined and not resolved: a path may start with two slashes, which would be read as a host.
  const href = position.startsWith("/") ? `${start.origin}${position}` : position;
  if (!URL.canParse(href)) throw foreignPosition(position);
  return new URL(href);
}
