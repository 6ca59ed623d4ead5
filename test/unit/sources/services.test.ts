import { describe, expect, it } from "vitest";
import {
  cursorField,
  type HttpPagesOptions,
  httpPages,
  lastItem,
  linkHeader,
  nextUrl,
  offsetLimit,
  pageNumber,
} from "../../../shared/sources/index.ts";
import { type Received, type Reply, serve } from "./loopback.ts";
import { pagesOf } from "./reading.ts";

/** A service with five items, two in each page. It answers with the page that begins at an index. */
interface Service {
  /** Path and query of page 1. */
  readonly first: string;
  readonly options: Omit<HttpPagesOptions, "url">;
  /** The index at which the requested page begins. */
  readonly from: (request: Received) => unknown;
  /** @param next The index of the next page's first item; `undefined` on the last page. */
  readonly answer: (items: readonly Item[], next: number | undefined, request: Received, total: number) => Reply;
  /** Path and query of page 2. */
  readonly second: string;
  /** A field that marks the end by its absence. A source of one page then has a warning. */
  readonly absentEnds?: true;
}

interface Item {
  readonly id: string;
  readonly sort?: readonly unknown[];
}

const ALL: readonly Item[] = ["a", "b", "c", "d", "e"].map((id, index) => ({
  id,
  sort: [1_732_712_345_123 + index, id],
}));
const PAGE = 2;

const query =
  (name: string) =>
  ({ url }: Received): string | null =>
    url.searchParams.get(name);
const body =
  (name: string) =>
  (request: Received): unknown =>
    name
      .split(".")
      .reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], JSON.parse(request.body));
/** The item after the one with this id. */
const after = (id: unknown) => (id === null || id === undefined ? 0 : ALL.findIndex((item) => item.id === id) + 1);

const SERVICES: Readonly<Record<string, Service>> = {
  "GitHub: Link": {
    first: "/orgs/nodejs/repos?per_page=2",
    options: { next: linkHeader },
    from: ({ url }) => (Number(url.searchParams.get("page") ?? 1) - 1) * PAGE,
    answer: (items, next, { url }) => {
      const link = (page: number, rel: string) =>
        `<${url.origin}/organizations/1/repos?per_page=2&page=${page}>; rel="${rel}"`;
      const pages = [...(next === undefined ? [] : [link(next / PAGE + 1, "next"), link(3, "last")]), link(1, "first")];
      return { body: items, headers: { link: pages.join(", ") } };
    },
    second: "/organizations/1/repos?per_page=2&page=2",
  },
  'Sentry: Link with results="false" on the last page': {
    first: "/api/0/projects/acme/app/events/",
    options: { next: linkHeader },
    from: ({ url }) => url.searchParams.get("cursor")?.split(":")[1],
    answer: (items, next, { url }) => {
      const link = (at: number, rel: string, results: boolean) =>
        `<${url.origin}${url.pathname}?&cursor=0:${at}:0>; rel="${rel}"; results="${results}"; cursor="0:${at}:0"`;
      const links = [link(0, "previous", false), link(next ?? 100, "next", next !== undefined)];
      return { body: items, headers: { link: links.join(", ") } };
    },
    second: "/api/0/projects/acme/app/events/?&cursor=0:2:0",
  },
  "Shopify: Link with a previous page": {
    first: "/admin/api/2026-01/products.json?limit=2&fields=id,title",
    options: { items: "products", next: linkHeader },
    from: query("page_info"),
    answer: (items, next, { url }) => {
      const link = (info: number, rel: string) =>
        `<${url.origin}${url.pathname}?limit=2&page_info=${info}>; rel="${rel}"`;
      const links = [link(0, "previous"), ...(next === undefined ? [] : [link(next, "next")])];
      return { body: { products: items }, headers: { link: links.join(", ") } };
    },
    second: "/admin/api/2026-01/products.json?limit=2&page_info=2",
  },
  "Stripe: has_more and starting_after": {
    first: "/v1/customers?limit=2",
    options: { items: "data", next: lastItem({ path: "id", parameter: "starting_after", hasMore: "has_more" }) },
    from: (request) => after(query("starting_after")(request)),
    answer: (items, next) => ({
      body: { object: "list", data: items, has_more: next !== undefined, url: "/v1/customers" },
    }),
    second: "/v1/customers?limit=2&starting_after=b",
  },
  'Slack: next_cursor is "" on the last page': {
    first: "/api/users.list?limit=2",
    options: { items: "members", next: cursorField({ path: "response_metadata.next_cursor", parameter: "cursor" }) },
    from: ({ url }) => url.searchParams.get("cursor")?.slice(-2, -1),
    answer: (items, next) => ({
      body: {
        ok: true,
        members: items,
        response_metadata: { next_cursor: next === undefined ? "" : `dXNlcjp${next}=` },
      },
    }),
    second: "/api/users.list?limit=2&cursor=dXNlcjp2%3D",
  },
  "Notion: next_cursor is null, and has_more": {
    first: "/v1/databases/d/query",
    options: {
      items: "results",
      body: { page_size: 2 },
      next: cursorField({ path: "next_cursor", parameter: { body: "start_cursor" }, hasMore: "has_more" }),
    },
    from: body("start_cursor"),
    answer: (items, next) => ({ body: { results: items, next_cursor: next ?? null, has_more: next !== undefined } }),
    second: '/v1/databases/d/query {"page_size":2,"start_cursor":2}',
  },
  "Elasticsearch: search_after": {
    first: "/index/_search",
    options: {
      items: "hits.hits",
      body: { size: 2, sort: [{ at: "asc" }, { id: "asc" }] },
      next: lastItem({ path: "sort", parameter: { body: "search_after" } }),
    },
    from: (request) => after(body("search_after.1")(request)),
    answer: (items) => ({
      body: {
        hits: { total: { value: 10_000, relation: "gte" }, hits: items.map((item) => ({ ...item, _score: null })) },
      },
    }),
    second: '/index/_search {"size":2,"sort":[{"at":"asc"},{"id":"asc"}],"search_after":[1732712345124,"b"]}',
  },
  "Salesforce: nextRecordsUrl is absent on the last page": {
    first: "/services/data/v60.0/query?q=SELECT+Id+FROM+Account",
    options: { items: "records", next: nextUrl({ path: "nextRecordsUrl", absentEnds: true }) },
    from: ({ url }) => /-(\d+)$/.exec(url.pathname)?.[1],
    answer: (items, next) => ({
      body: {
        totalSize: 5,
        done: next === undefined,
        ...(next !== undefined && { nextRecordsUrl: `/services/data/v60.0/query/01g-${next}` }),
        records: items,
      },
    }),
    second: "/services/data/v60.0/query/01g-2",
    absentEnds: true,
  },
  "Microsoft Graph: @odata.nextLink is absent on the last page": {
    first: "/v1.0/users?$top=2&$filter=accountEnabled%20eq%20true",
    options: { items: "value", next: nextUrl({ path: ["@odata.nextLink"], absentEnds: true }) },
    from: query("$skiptoken"),
    answer: (items, next, { url }) => ({
      body: {
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users",
        ...(next !== undefined && { "@odata.nextLink": `${url.origin}/v1.0/users?$top=2&$skiptoken=${next}` }),
        value: items,
      },
    }),
    second: "/v1.0/users?$top=2&$skiptoken=2",
    absentEnds: true,
  },
  "Django REST framework: next is null": {
    first: "/api/users/?search=a%2Bb",
    options: { items: "results", next: nextUrl({ path: "next" }) },
    from: ({ url }) => (Number(url.searchParams.get("page") ?? 1) - 1) * PAGE,
    answer: (items, next, { url }) => ({
      body: {
        count: 5,
        next: next === undefined ? null : `${url.origin}/api/users/?page=${next / PAGE + 1}&search=a%2Bb`,
        previous: null,
        results: items,
      },
    }),
    second: "/api/users/?page=2&search=a%2Bb",
  },
  "JSON:API: links.next is an object, and null on the last page": {
    first: "/articles?page[size]=2",
    options: { items: "data", next: nextUrl({ path: "links.next" }) },
    from: query("page[after]"),
    answer: (items, next) => ({
      body: {
        links: { next: next === undefined ? null : { href: `/articles?page[size]=2&page[after]=${next}` } },
        data: items,
      },
    }),
    second: "/articles?page[size]=2&page[after]=2",
  },
  "HubSpot: paging is absent on the last page": {
    first: "/crm/v3/objects/contacts?limit=2",
    options: {
      items: "results",
      next: cursorField({ path: "paging.next.after", parameter: "after", absentEnds: true }),
    },
    from: query("after"),
    answer: (items, next) => ({
      body: { results: items, ...(next !== undefined && { paging: { next: { after: `${next}`, link: "…" } } }) },
    }),
    second: "/crm/v3/objects/contacts?limit=2&after=2",
    absentEnds: true,
  },
  "Airtable: offset is absent on the last page": {
    first: "/v0/app/table?pageSize=2",
    options: { items: "records", next: cursorField({ path: "offset", parameter: "offset", absentEnds: true }) },
    from: ({ url }) => url.searchParams.get("offset")?.split("/")[1],
    answer: (items, next) => ({ body: { records: items, ...(next !== undefined && { offset: `itr1/${next}` }) } }),
    second: "/v0/app/table?pageSize=2&offset=itr1%2F2",
    absentEnds: true,
  },
  "AWS: NextToken is absent on the last page": {
    first: "/",
    options: {
      items: "Parameters",
      body: { MaxResults: 2 },
      headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": "AmazonSSM.DescribeParameters" },
      next: cursorField({ path: "NextToken", parameter: { body: "NextToken" }, absentEnds: true }),
    },
    from: (request) => (body("NextToken")(request) as string | undefined)?.slice(1),
    answer: (items, next) => ({ body: { Parameters: items, ...(next !== undefined && { NextToken: `t${next}` }) } }),
    second: '/ {"MaxResults":2,"NextToken":"t2"}',
    absentEnds: true,
  },
  "Google: nextPageToken is absent on the last page": {
    first: "/drive/v3/files?pageSize=2",
    options: { items: "files", next: cursorField({ path: "nextPageToken", parameter: "pageToken", absentEnds: true }) },
    from: query("pageToken"),
    answer: (items, next) => ({ body: { ...(next !== undefined && { nextPageToken: `${next}` }), files: items } }),
    second: "/drive/v3/files?pageSize=2&pageToken=2",
    absentEnds: true,
  },
  "GitHub GraphQL: a connection": {
    first: "/graphql",
    options: {
      items: "data.viewer.repositories.nodes",
      body: { query: "query ($after: String) { … }", variables: { first: 2 } },
      next: cursorField({
        path: "data.viewer.repositories.pageInfo.endCursor",
        parameter: { body: "variables.after" },
      }),
    },
    from: (request) => after(body("variables.after")(request)),
    answer: (items, next) => ({
      body: {
        data: {
          viewer: {
            repositories: { nodes: items, pageInfo: { endCursor: items.at(-1)?.id, hasNextPage: next !== undefined } },
          },
        },
      },
    }),
    second: '/graphql {"query":"query ($after: String) { … }","variables":{"first":2,"after":"b"}}',
  },
  "Zendesk: meta.has_more": {
    first: "/api/v2/tickets.json?page[size]=2",
    options: {
      items: "tickets",
      next: cursorField({ path: "meta.after_cursor", parameter: "page[after]", hasMore: "meta.has_more" }),
    },
    from: (request) => after(query("page[after]")(request)),
    answer: (items, next) => ({
      body: { tickets: items, meta: { has_more: next !== undefined, after_cursor: items.at(-1)?.id } },
    }),
    second: "/api/v2/tickets.json?page[size]=2&page%5Bafter%5D=b",
  },
  "Jira: startAt, maxResults and total": {
    first: "/rest/api/3/search?jql=project%3DA",
    options: {
      items: "issues",
      next: offsetLimit({ offset: "startAt", limit: "maxResults", pageSize: 2, total: "total" }),
    },
    from: query("startAt"),
    answer: (items, _, request, total) => ({
      body: { startAt: Number(query("startAt")(request)), maxResults: 2, total, issues: items },
    }),
    second: "/rest/api/3/search?jql=project%3DA&startAt=2&maxResults=2",
  },
  "PagerDuty: offset, limit and more": {
    first: "/incidents",
    options: { items: "incidents", next: offsetLimit({ pageSize: 2, hasMore: "more" }) },
    from: query("offset"),
    answer: (items, next) => ({ body: { incidents: items, limit: 2, more: next !== undefined, total: null } }),
    second: "/incidents?offset=2&limit=2",
  },
  "WordPress: X-WP-TotalPages": {
    first: "/wp-json/wp/v2/posts?status=publish",
    options: { next: pageNumber({ pageSize: 2, totalPages: { header: "X-WP-TotalPages" } }) },
    from: (request) => (Number(query("page")(request)) - 1) * PAGE,
    answer: (items, _next, _request, total) => ({
      body: items,
      headers: { "X-WP-Total": `${total}`, "X-WP-TotalPages": `${Math.ceil(total / PAGE)}` },
    }),
    second: "/wp-json/wp/v2/posts?status=publish&page=2&per_page=2",
  },
};

const read = async ({ first, options, from, answer }: Service, all: readonly Item[]) => {
  const server = await serve((request) => {
    const start = Number(from(request) ?? 0);
    const next = start + PAGE;
    return answer(all.slice(start, next), next < all.length ? next : undefined, request, all.length);
  });
  const warnings: string[] = [];
  const source = httpPages<Item>({ url: `${server.origin}${first}`, retry: { attempts: 1 }, ...options });
  const pages = await pagesOf(source, undefined, undefined, warnings);
  const asked = server.requests.map(({ target, body: sent }) => (sent === "" ? target : `${target} ${sent}`));
  return { ids: pages.flatMap(({ items }) => items).map(({ id }) => id), warnings, asked };
};

describe("The pages of a service as it documents them", () => {
  it.each(Object.entries(SERVICES))("%s: are all read, without a warning", async (name, service) => {
    const { ids, warnings, asked } = await read(service, ALL);
    expect(ids).toEqual(["a", "b", "c", "d", "e"]);
    expect(warnings).toEqual([]);
    expect(asked[1]).toBe(service.second);
    // Elasticsearch has no other sign of the end than an empty page.
    expect(asked).toHaveLength(name.startsWith("Elasticsearch") ? 4 : 3);
  });

  it.each(Object.entries(SERVICES))("%s: a single page is read, too", async (_, service) => {
    const { ids, warnings } = await read(service, ALL.slice(0, 1));
    expect(ids).toEqual(["a"]);
    const taken = [expect.stringContaining("counts as the only page")];
    expect(warnings).toEqual(service.absentEnds === true ? taken : []);
  });
});
