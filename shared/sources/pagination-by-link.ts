import LinkHeader from "http-link-header";
import { SourceError, toError } from "../errors.ts";
import type { Json } from "../json.ts";
import { booleanOption, rejectUnknownKeys, show } from "../options.ts";
import { checkPath, nameOf, type Path } from "./body-path.ts";
import { type AbsentFieldOptions, nextField } from "./next-field.ts";
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

export interface NextUrlOptions extends AbsentFieldOptions {
  /** Where the next page's URL stands in the body. `null`, `""` or `false`: the last page. Absent: an error. */
  readonly path: Path;
}

/**
 * The next page's URL stands in the body (Django REST framework: `"next"`; JSON:API: `"links.next"`; OData:
 * `["@odata.nextLink"]`). It may be relative, and an object with an `href`.
 *
 * @throws {ConfigurationError} An option is missing, unknown or of a wrong kind.
 *
 * @example
 * ```ts
 * next: nextUrl({ path: "next" }),
 * next: nextUrl({ path: ["@odata.nextLink"], absentEnds: true }),
 * ```
 */
export function nextUrl(options: NextUrlOptions): Pagination {
  rejectUnknownKeys(options, ["path", "absentEnds"], "nextUrl(...)");
  const { path } = options;
  checkPath("path", path);
  const absentEnds = booleanOption("absentEnds", options.absentEnds ?? false);
  return byLink((page, isFirst, warn) => {
    const value = nextField(page, path, { absentEnds, isFirst, warn });
    const link = typeof value === "object" && value !== null && "href" in value ? value.href : value;
    if (link === undefined || link === null || link === "") return undefined;
    if (typeof link === "string") return link;
    throw new SourceError(`${nameOf(path)} should be the next page's URL, but is ${show(link)}: is the path right?`);
  });
}

function byLink(
  linkOf: (page: HttpPage, isFirst: boolean, warn: (message: string) => void) => string | undefined,
): Pagination {
  return {
    request: (start, position) => (position === undefined ? start : { ...start, url: urlAt(position, start) }),
    next(page, position, start, { warn }) {
      const link = linkOf(page, position === undefined, warn);
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
