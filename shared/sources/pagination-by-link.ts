import { SourceError } from "../base/errors.ts";
import { booleanOption, rejectUnknownKeys, show } from "../base/options.ts";
import { checkPath, nameOf, type Path } from "./body-path.ts";
import { parseLinkHeader } from "./link-header.ts";
import { type AbsentFieldOptions, nextField } from "./next-field.ts";
import { foreignPosition, type HttpPage, locate, type PageRequest, type Pagination } from "./pagination.ts";

/** How much of a header a message shows. */
const SHOWN_CHARACTERS = 1_000;

/** Relation types that an API sends in the `Link` header of a page: one of them on page 1 shows that the API uses it. */
const PAGE_RELATIONS = ["first", "prev", "previous", "last"];

/**
 * The next page is the one of the header `Link: <…>; rel="next"` (GitHub, GitLab, WordPress, RFC 8288). A page without
 * such a link is the last page, and so is one whose link says `results="false"` (Sentry). Page 1 without a `Link` header about pages is a warning in the run's summary, because
 * the API may page in another way. A header that is malformed, so that a next page may be hidden in it, is an error.
 *
 * @example `next: linkHeader`
 */
export const linkHeader: Pagination = byLink((page, isFirst, warn) => {
  const header = page.headers.get("link") ?? "";
  const { links, malformed } = parseLinkHeader(header);
  const next = links.filter(({ rels }) => rels.includes("next"));
  const ours = next.find(({ anchor }) => anchor === undefined || isSamePage(anchor, page.url));
  if (ours !== undefined) return ours.isEmpty ? undefined : ours.target;
  const problem = malformed ?? (next.length > 0 ? "its next page is that of another page, its anchor" : undefined);
  if (problem !== undefined) {
    throw new SourceError(
      `the Link header of ${locate(page)} cannot be read (${problem}): ${show(header.slice(0, SHOWN_CHARACTERS))}. If the API says in its body where ` +
        "the next page is, use nextUrl or cursorField",
    );
  }
  const found = [...new Set(links.flatMap(({ rels }) => rels))];
  if (isFirst && !found.some((rel) => PAGE_RELATIONS.includes(rel))) {
    const seen = found.length === 0 ? "no Link header" : `a Link header with no page in it (rel: ${found.join(", ")})`;
    warn(`page 1 of ${locate(page)} has ${seen} and is taken for the only page: does the API page in another way?`);
  }
  return undefined;
});

function isSamePage(anchor: string, page: URL): boolean {
  const withoutFragment = ({ href }: URL) => href.replace(/#.*/, "");
  return URL.canParse(anchor, page.href) && withoutFragment(new URL(anchor, page.href)) === withoutFragment(page);
}

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

function urlAt(position: unknown, { url: start }: PageRequest): URL {
  if (typeof position !== "string" || position === "") throw foreignPosition(position);
  // Joined and not resolved: a path may start with two slashes, which would be read as a host.
  const href = position.startsWith("/") ? `${start.origin}${position}` : position;
  if (!URL.canParse(href)) throw foreignPosition(position);
  return new URL(href);
}
