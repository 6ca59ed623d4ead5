import { SourceError } from "../base/errors.ts";
import { booleanOption, rejectUnknownKeys, show } from "../base/options.ts";
import { checkPath, nameOf, type Path } from "./body-path.ts";
import { parseLinkHeader } from "./link-header.ts";
import { type AbsentFieldOptions, nextField } from "./next-field.ts";
import { foreignPosition, type HttpPage, locate, type PageRequest, type Pagination } from "./pagination.ts";

/** How many characters of a header a message shows. */
const SHOWN_CHARACTERS = 1_000;

/**
 * Relation types of page links. If page 1 has one of these relation types in its `Link` header, the API uses that
 * header for pagination.
 */
const PAGE_RELATIONS = ["first", "prev", "previous", "last"];

/**
 * Pagination by the header `Link: <…>; rel="next"` (GitHub, GitLab, WordPress, RFC 8288). A page without such a link is
 * the last page. A page whose link says `results="false"` (Sentry) is also the last page.
 *
 * If page 1 has no `Link` header about pages, the run's summary shows a warning, because the API may use another kind
 * of pagination. A malformed header is an error, because it may name a next page that Sluice cannot read.
 *
 * @example `next: linkHeader`
 */
export const linkHeader: Pagination = byLink((page, isFirst, warn) => {
  const header = page.headers.get("link") ?? "";
  const { links, malformed } = parseLinkHeader(header);
  const next = links.filter(({ rels }) => rels.includes("next"));
  const own = next.find(({ anchor }) => anchor === undefined || isSamePage(anchor, page.url));
  if (own !== undefined) return own.isEmpty ? undefined : own.target;
  const problem =
    malformed ?? (next.length > 0 ? "its next link belongs to another page, which its anchor names" : undefined);
  if (problem !== undefined) {
    throw new SourceError(
      `the Link header of ${locate(page)} cannot be read (${problem}): ` +
        `${show(header.slice(0, SHOWN_CHARACTERS))}. If the body of the response names the next page, use nextUrl or cursorField`,
    );
  }
  const found = [...new Set(links.flatMap(({ rels }) => rels))];
  if (isFirst && !found.some((rel) => PAGE_RELATIONS.includes(rel))) {
    const seen = found.length === 0 ? "no Link header" : `a Link header without pages (rel: ${found.join(", ")})`;
    warn(
      `page 1 of ${locate(page)} has ${seen} and counts as the only page: check whether the API pages in another way`,
    );
  }
  return undefined;
});

function isSamePage(anchor: string, page: URL): boolean {
  const withoutFragment = ({ href }: URL) => href.replace(/#.*/, "");
  return URL.canParse(anchor, page.href) && withoutFragment(new URL(anchor, page.href)) === withoutFragment(page);
}

/** Options of `nextUrl`. */
export interface NextUrlOptions extends AbsentFieldOptions {
  /**
   * The place of the next page's URL in the body. `null`, `""` or `false` mean that the page is the last. If the field
   * is absent, the page is an error (see `absentEnds`).
   */
  readonly path: Path;
}

/**
 * Pagination by the next page's URL in the body (Django REST framework: `"next"`; JSON:API: `"links.next"`; OData:
 * `["@odata.nextLink"]`). The URL may be relative. The field may also be an object whose `href` is the URL.
 *
 * @throws {ConfigurationError} An option is missing, unknown or of the wrong type.
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
    throw new SourceError(`${nameOf(path)} must be the next page's URL, but is ${show(link)}: check the path`);
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
 * The position of a page: path and query if the URL has the same origin as the first page, otherwise the whole URL. So
 * a run can continue after the API's host or port has changed.
 */
function positionOf(link: string, current: URL, start: URL): string {
  if (!URL.canParse(link, current.href)) throw new SourceError(`the next page's link is not a URL: ${show(link)}`);
  const url = new URL(link, current);
  url.hash = "";
  return url.origin === start.origin ? `${url.pathname}${url.search}` : url.href;
}

function urlAt(position: unknown, { url: start }: PageRequest): URL {
  if (typeof position !== "string" || position === "") throw foreignPosition(position);
  // Join the texts: `new URL(position, start)` would read a path that starts with two slashes as a host.
  const href = position.startsWith("/") ? `${start.origin}${position}` : position;
  if (!URL.canParse(href)) throw foreignPosition(position);
  return new URL(href);
}
