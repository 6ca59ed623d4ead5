import { describe, expect, it } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import {
  type Cursor,
  cursorField,
  type HttpPagesOptions,
  httpPages,
  lastItem,
  linkHeader,
  nextUrl,
  offsetLimit,
  pageNumber,
  singlePage,
} from "../../../shared/sources/index.ts";
import { type Received, type Reply, serve } from "./loopback.ts";
import { itemsOf, pagesOf, readContext, restartable } from "./reading.ts";

const CITIES = Array.from({ length: 7 }, (_, index) => ({ id: `c${index}` }));

/** An API of 7 cities with 3 in each page, and the options with which a source reads it. */
interface Api {
  readonly reply: (request: Received, query: URLSearchParams) => Reply;
  readonly options: Omit<HttpPagesOptions, "url">;
  /** Path, query and body of the requests. */
  readonly asked: readonly string[];
  /** The positions in the cursors. */
  readonly positions: readonly unknown[];
}

const from = (start: number) => CITIES.slice(start, start + 3);
const after = (id: string | null | undefined) => CITIES.findIndex((city) => city.id === id) + 1;
const more = (start: number) => start + 3 < CITIES.length;

const APIS: Record<string, Api> = {
  "a Link header, relative": {
    reply: ({ url }, query) => {
      const page = Number(query.get("page") ?? 1);
      const links = [
        `<${url.pathname}?page=1>; rel="first"`,
        `<?page=${page + 1}&sort=id,name>; title="a, b"; rel="last next"`,
      ];
      return { body: from(3 * page - 3), headers: more(3 * page - 3) ? { link: links.join(", ") } : {} };
    },
    options: { next: linkHeader },
    asked: ["/v1/cities?key=k", "/v1/cities?page=2&sort=id,name", "/v1/cities?page=3&sort=id,name"],
    positions: ["/v1/cities?page=2&sort=id,name", "/v1/cities?page=3&sort=id,name"],
  },
  "a URL in the body, absolute": {
    reply: ({ url }, query) => {
      const start = Number(query.get("from"));
      return { body: { results: from(start), next: more(start) ? `${url.origin}/v2?from=${start + 3}#top` : null } };
    },
    options: { next: nextUrl({ path: "next" }), items: "results" },
    asked: ["/v1/cities?key=k", "/v2?from=3", "/v2?from=6"],
    positions: ["/v2?from=3", "/v2?from=6"],
  },
  "JSON:API, a link object": {
    reply: (_, query) => {
      const start = Number(query.get("page[offset]"));
      const links = more(start) ? { next: { href: `/v1/cities?page[offset]=${start + 3}` } } : {};
      return { body: { data: from(start), links } };
    },
    options: { next: nextUrl({ path: "links.next", absentEnds: true }), items: "data" },
    asked: ["/v1/cities?key=k", "/v1/cities?page[offset]=3", "/v1/cities?page[offset]=6"],
    positions: ["/v1/cities?page[offset]=3", "/v1/cities?page[offset]=6"],
  },
  "OData, a key with a dot": {
    reply: (_, query) => {
      const start = Number(query.get("$skip"));
      return {
        body: { value: from(start), ...(more(start) ? { "@odata.nextLink": `cities?$skip=${start + 3}` } : {}) },
      };
    },
    options: { next: nextUrl({ path: ["@odata.nextLink"], absentEnds: true }), items: "value" },
    asked: ["/v1/cities?key=k", "/v1/cities?$skip=3", "/v1/cities?$skip=6"],
    positions: ["/v1/cities?$skip=3", "/v1/cities?$skip=6"],
  },
  "a cursor in the body": {
    reply: (_, query) => {
      const start = Number(query.get("cursor")?.slice(1) ?? 0);
      return { body: { cities: from(start), meta: { next: more(start) ? `@${start + 3}` : "" } } };
    },
    options: { next: cursorField({ path: "meta.next", parameter: "cursor" }), items: "cities" },
    asked: ["/v1/cities?key=k", "/v1/cities?key=k&cursor=%403", "/v1/cities?key=k&cursor=%406"],
    positions: ["@3", "@6"],
  },
  GraphQL: {
    reply: ({ body }) => {
      const start = after(JSON.parse(body).variables.after);
      const pageInfo = { endCursor: from(start).at(-1)?.id, hasNextPage: more(start) };
      return { body: { data: { cities: { nodes: from(start), pageInfo } } } };
    },
    options: {
      body: { query: "…", variables: { first: 3 } },
      items: "data.cities.nodes",
      next: cursorField({
        path: "data.cities.pageInfo.endCursor",
        parameter: { body: "variables.after" },
        hasMore: "data.cities.pageInfo.hasNextPage",
      }),
    },
    asked: [
      '/v1/cities?key=k {"query":"…","variables":{"first":3}}',
      '/v1/cities?key=k {"query":"…","variables":{"first":3,"after":"c2"}}',
      '/v1/cities?key=k {"query":"…","variables":{"first":3,"after":"c5"}}',
    ],
    positions: ["c2", "c5"],
  },
  "Stripe, the last item's id": {
    reply: (_, query) => {
      const start = after(query.get("starting_after"));
      return { body: { object: "list", data: from(start), has_more: more(start) } };
    },
    options: { next: lastItem({ path: "id", parameter: "starting_after", hasMore: "has_more" }), items: "data" },
    asked: ["/v1/cities?key=k", "/v1/cities?key=k&starting_after=c2", "/v1/cities?key=k&starting_after=c5"],
    positions: ["c2", "c5"],
  },
  "Elasticsearch, search_after, until the empty page": {
    reply: ({ body }) => {
      const start = after(body === "" ? null : JSON.parse(body).search_after?.[1]);
      return { body: { hits: { hits: from(start).map(({ id }) => ({ _id: id, sort: [1, id] })) } } };
    },
    options: {
      body: { size: 3 },
      items: "hits.hits",
      next: lastItem({ path: "sort", parameter: { body: "search_after" } }),
    },
    asked: [
      '/v1/cities?key=k {"size":3}',
      '/v1/cities?key=k {"size":3,"search_after":[1,"c2"]}',
      '/v1/cities?key=k {"size":3,"search_after":[1,"c5"]}',
      '/v1/cities?key=k {"size":3,"search_after":[1,"c6"]}',
    ],
    positions: [
      [1, "c2"],
      [1, "c5"],
      [1, "c6"],
    ],
  },
  "page numbers, until the empty page": {
    reply: (_, query) => ({ body: from(3 * Number(query.get("page")) - 3) }),
    options: { next: pageNumber() },
    asked: [1, 2, 3, 4].map((page) => `/v1/cities?key=k&page=${page}`),
    positions: [2, 3, 4],
  },
  "page numbers from 0, until a short page": {
    reply: (_, query) => ({ body: from(3 * Number(query.get("p"))) }),
    options: { next: pageNumber({ parameter: "p", first: 0, pageSize: 3, sizeParameter: "n", shortPageEnds: true }) },
    asked: [0, 1, 2].map((page) => `/v1/cities?key=k&p=${page}&n=3`),
    positions: [1, 2],
  },
  "WordPress, the number of pages in a header": {
    reply: (_, query) => {
      const page = Number(query.get("page"));
      // It answers 400 beyond the last page.
      return page > 3 ? { status: 400 } : { body: from(3 * page - 3), headers: { "x-wp-totalpages": "3" } };
    },
    options: { next: pageNumber({ pageSize: 3, totalPages: { header: "X-WP-TotalPages" } }) },
    asked: [1, 2, 3].map((page) => `/v1/cities?key=k&page=${page}&per_page=3`),
    positions: [2, 3],
  },
  "page numbers and a flag": {
    reply: (_, query) => {
      const start = 3 * Number(query.get("page")) - 3;
      return { body: { items: from(start), has_more: more(start) } };
    },
    options: { next: pageNumber({ hasMore: "has_more" }), items: (body) => (body as { items: unknown }).items },
    asked: [1, 2, 3].map((page) => `/v1/cities?key=k&page=${page}`),
    positions: [2, 3],
  },
  "offset and limit, until the empty page, though the API gives fewer than were asked for": {
    reply: (_, query) => ({ body: from(Number(query.get("offset"))) }),
    options: { next: offsetLimit() },
    asked: [0, 3, 6, 7].map((offset) => `/v1/cities?key=k&offset=${offset}&limit=100`),
    positions: [3, 6, 7],
  },
  "offset and limit in the body, with a total": {
    reply: ({ body }) => ({ body: { hits: { hits: from(JSON.parse(body).from), total: { value: 7 } } } }),
    options: {
      next: offsetLimit({ offset: { body: "from" }, limit: { body: "size" }, pageSize: 3, total: "hits.total.value" }),
      items: "hits.hits",
    },
    asked: [0, 3, 6].map((offset) => `/v1/cities?key=k {"from":${offset},"size":3}`),
    positions: [3, 6],
  },
  "offset and limit, until a short page": {
    reply: (_, query) => ({ body: from(Number(query.get("offset"))) }),
    options: { next: offsetLimit({ pageSize: 3, shortPageEnds: true }) },
    asked: [0, 3, 6].map((offset) => `/v1/cities?key=k&offset=${offset}&limit=3`),
    positions: [3, 6],
  },
  "everything at once": {
    reply: () => ({ body: CITIES }),
    options: { next: singlePage },
    asked: ["/v1/cities?key=k"],
    positions: [],
  },
};

const shown = ({ url, body }: Received) => `${url.pathname}${url.search}${body && ` ${body}`}`;

describe("pagination", () => {
  it.each(Object.entries(APIS))("reads %s", async (_, { reply, options, asked, positions }) => {
    const { origin, requests } = await serve((request) => reply(request, request.url.searchParams));
    const source = () => httpPages({ ...options, url: `${origin}/v1/cities?key=k` });
    const pages = await pagesOf(source());
    expect(requests.map(shown)).toEqual(asked);
    expect(requests.every(({ method, body }) => method === (body === "" ? "GET" : "POST"))).toBe(true);
    expect(pages.flatMap((page) => page.items as object[]).map((item) => Object.values(item)[0])).toEqual(
      CITIES.map(({ id }) => id),
    );
    expect(pages.slice(0, -1).map(({ next }) => (next as { at: unknown }).at)).toEqual(positions);
    await restartable(source);
  });

  it.each(Object.entries(APIS))("continues at another host and port, reading %s", async (_, { reply, options }) => {
    const first = await serve((request) => reply(request, request.url.searchParams));
    const second = await serve((request) => reply(request, request.url.searchParams));
    const [page, ...rest] = await pagesOf(httpPages({ ...options, url: `${first.origin}/v1/cities?key=k` }));
    const before = first.requests.length;
    const moved = httpPages({ ...options, url: `${second.origin}/v1/cities?key=k` });
    if (page?.next !== undefined) expect(await pagesOf(moved, page.next)).toEqual(rest);
    expect(first.requests).toHaveLength(before);
  });

  it("reads lazily: no page is requested before the caller needs it", async () => {
    const { origin, requests } = await serve(({ url }) => ({ body: [url.search] }));
    const pages = httpPages({ url: origin, next: pageNumber() }).pages(undefined, readContext());
    const iterator = pages[Symbol.asyncIterator]();
    expect(requests).toHaveLength(0);
    for (let page = 1; page <= 3; page++) {
      await iterator.next();
      expect(requests).toHaveLength(page);
    }
    await iterator.return?.();
    expect(requests).toHaveLength(3);
  });

  it("accepts a page without items that has a next page", async () => {
    const bodies = [
      { items: [1], next: "b" },
      { items: [], next: "c" },
      { items: null, next: "d" },
      { items: [2], next: null },
    ];
    let count = 0;
    const { origin } = await serve(() => ({ body: bodies[count++] }));
    const next = cursorField({ path: "next", parameter: "cursor" });
    const options = { url: origin, items: "items", next };
    expect(await itemsOf(httpPages({ ...options, allowNullItems: true }))).toEqual([1, 2]);
    count = 0;
    await expect(itemsOf(httpPages(options))).rejects.toThrow(
      `the field items of ${origin}/ is null, not a list of items. Set allowNullItems: true if the API uses null for an empty list`,
    );
  });
});

describe("pagination that does not end", () => {
  const failing = async (
    reply: (request: Received, count: number) => Reply,
    options: Omit<HttpPagesOptions, "url">,
  ) => {
    const server = await serve((request) => reply(request, server.requests.length));
    const reading = pagesOf(httpPages({ url: `${server.origin}/x`, ...options }));
    await expect(reading).rejects.toThrow(SourceError);
    const error = await reading.catch((thrown: Error) => thrown);
    return { message: (error as Error).message, requests: server.requests.length };
  };

  it("is an error if the parameter of the page is ignored", async () => {
    for (const next of [pageNumber(), offsetLimit(), pageNumber({ totalPages: () => 1_000 })]) {
      expect(
        await failing((_, count) => ({ body: [{ id: 1 }], headers: { "x-request": `${count}` } }), { next }),
      ).toEqual({
        message: expect.stringMatching(/^the page at [12] has the same items as the page before it: .* ignore/),
        requests: 2,
      });
    }
  });

  it("is also found after a restart", async () => {
    const { origin } = await serve(() => ({ body: [{ id: 1 }] }));
    const source = httpPages({ url: origin, next: pageNumber() });
    let cursor: unknown;
    for await (const page of source.pages(undefined, readContext())) {
      cursor = page.next;
      break;
    }
    await expect(pagesOf(source, cursor as never)).rejects.toThrow(/the same items/);
  });

  it("is no error for pages with the same items if they are allowed", async () => {
    const { origin } = await serve(({ url }) => ({ body: Number(url.searchParams.get("page")) < 4 ? [0] : [] }));
    expect(await itemsOf(httpPages({ url: origin, next: pageNumber(), allowRepeatedPages: true }))).toEqual([0, 0, 0]);
  });

  it("is an error if the next cursor or link is that of the current page", async () => {
    const circle = /^the pages form a loop: the next page would be "(b|\/x\?page=b)" again/;
    const stuck = await failing((_, count) => ({ body: { items: [count], next: "b" } }), {
      items: "items",
      next: cursorField({ path: "next", parameter: "cursor" }),
    });
    const linked = await failing((_, count) => ({ body: [count], headers: { link: '<?page=b>; rel="next"' } }), {
      next: linkHeader,
    });
    expect([stuck, linked]).toEqual([
      { message: expect.stringMatching(circle), requests: 2 },
      { message: expect.stringMatching(circle), requests: 2 },
    ]);
  });

  it.each([2, 3, 7, 20])("is an error if the pages repeat with a period of %i", async (period) => {
    const { message, requests } = await failing(
      (_, count) => ({ body: { items: [count], next: `c${count < 5 ? `-${count}` : count % period}` } }),
      { items: "items", next: cursorField({ path: "next", parameter: "cursor" }) },
    );
    expect(message).toMatch(/form a loop/);
    expect(requests).toBeLessThan(5 * period + 20);
  });

  it.each<[string, HttpPagesOptions["next"]]>([
    ["a cursor", cursorField({ path: "next", parameter: "cursor" })],
    ["hasMore", pageNumber({ hasMore: "more" })],
  ])("is an error after 1,000 pages in a row without items that %s continues", async (_, next) => {
    let requests = 0;
    const fetch = async () => {
      requests += 1;
      return Response.json({ items: requests === 2 ? [2] : [], next: `c${requests}`, more: true });
    };
    await expect(pagesOf(httpPages({ url: "http://127.0.0.1", items: "items", next, fetch }))).rejects.toThrow(
      /^1001 pages in a row have no items, and the latest leads to .* raise maxEmptyPages/,
    );
    expect(requests).toBe(2 + 1_001);
  });

  it("is found after restarts, also for pages without items", async () => {
    const { origin, requests } = await serve(() => ({ body: { items: [], next: `c${requests.length}` } }));
    const next = cursorField({ path: "next", parameter: "cursor" });
    const source = httpPages({ url: origin, items: "items", next, maxEmptyPages: 2 });
    let cursor: Cursor | undefined;
    for (let count = 1; count <= 2; count++) {
      const page = await source.pages(cursor, readContext())[Symbol.asyncIterator]().next();
      cursor = page.value.next;
      expect(cursor).toMatchObject({ at: `c${count}`, empty: count });
    }
    await expect(pagesOf(source, cursor)).rejects.toThrow(/^3 pages in a row have no items/);
    expect(requests).toHaveLength(3);
    expect(() => httpPages({ url: origin, next, maxEmptyPages: -1 })).toThrow(/maxEmptyPages/);
  });

  it("is an error if total or hasMore announces items that do not exist", async () => {
    const { message } = await failing((_, count) => ({ body: { items: count === 1 ? [1] : [], total: 5 } }), {
      items: "items",
      next: offsetLimit({ total: "total" }),
    });
    expect(message).toBe(
      "the page at offset 1 is empty, although total says that items follow: " +
        "leave that option out if an empty page is the end of the source",
    );
    const flagged = { items: "items", next: lastItem({ path: "id", parameter: "after", hasMore: "more" }) };
    expect((await failing(() => ({ body: { items: [], more: true } }), flagged)).message).toMatch(/no last item/);
    const cursor = { items: "items", next: cursorField({ path: "next", parameter: "after", hasMore: "more" }) };
    expect((await failing(() => ({ body: { items: [], more: true } }), cursor)).message).toMatch(
      /the field more of \S+ says that a page follows, but the field next is absent; the body: .* keys items, more$/,
    );
  });
});

describe("pagination, what the API must answer", () => {
  const error = async (reply: Reply, options: Omit<HttpPagesOptions, "url">) => {
    const { origin } = await serve(() => reply);
    const thrown = await pagesOf(httpPages({ url: `${origin}/x`, ...options })).catch((error: Error) => error);
    expect(thrown).toBeInstanceOf(SourceError);
    return (thrown as Error).message;
  };

  it("is described in the message if the items are at another place", async () => {
    const body = { meta: {}, cities: [] };
    expect(await error({ body }, { next: singlePage })).toMatch(
      /^the body of .*\/x is not a list of items: it is an object with the keys meta, cities; .* such as items: "cities"$/,
    );
    expect(await error({ body }, { next: singlePage, items: "data.cities" })).toMatch(
      /^the field data > cities of .* is not a list of items: the body: it is an object with the keys meta, cities/,
    );
    expect(await error({ body: "null" }, { next: singlePage })).toMatch(/is not a list of items: it is null/);
  });

  it.each<[unknown, HttpPagesOptions["next"], RegExp]>([
    [{ more: "maybe" }, pageNumber({ hasMore: "more" }), /^the field more must be true or false, but is "maybe"/],
    [{}, pageNumber({ hasMore: "mroe" }), /^the field mroe must be .* with the keys items$/],
    [{ pages: "x" }, pageNumber({ totalPages: "pages" }), /^the field pages must hold a count, but is "x"/],
    [{}, pageNumber({ totalPages: { header: "x-pages" } }), /^the header x-pages must hold a count, but is undefined/],
    [{ next: 7 }, nextUrl({ path: "next" }), /^the field next must be the next page's URL, but is 7/],
    [{ next: "http://[" }, nextUrl({ path: "next" }), /^the next page's link is not a URL/],
    [{}, lastItem({ path: "uid", parameter: "after" }), /^the field uid is not in the last item: .* with the keys id$/],
    [
      { next: 2 ** 53 },
      cursorField({ path: "next", parameter: "after" }),
      /9007199254740992, .* set unsafeNumbers of httpPages/,
    ],
  ])("refuses %j", async (fields, next, message) => {
    expect(await error({ body: { items: [{ id: 1 }], ...(fields as object) } }, { next, items: "items" })).toMatch(
      message,
    );
  });

  it("refuses a Link header that cannot be read", async () => {
    expect(await error({ body: [], headers: { link: "next: 2" } }, { next: linkHeader })).toMatch(
      /^the Link header of/,
    );
  });

  it("refuses a cursor that a query cannot hold", async () => {
    const next = cursorField({ path: "next", parameter: "after" });
    expect(await error({ body: { items: [], next: ["a"] } }, { next, items: "items" })).toMatch(
      /^the query parameter after cannot hold \["a"\]: .* write { body: "after" } as the parameter$/,
    );
  });

  it.each([
    ["linkHeader", linkHeader, 7],
    ["linkHeader", linkHeader, "no path"],
    ["pageNumber", pageNumber(), "2"],
    ["offsetLimit", offsetLimit(), -1],
  ])("refuses a position that %s did not make", async (_, next, at) => {
    const source = httpPages({ url: "http://127.0.0.1:1", next });
    await expect(pagesOf(source, { at, seen: "" })).rejects.toThrow(/does not come from this pagination/);
  });
});

describe("pagination, options", () => {
  it.each<[string, () => unknown, RegExp]>([
    ["nextUrl", () => nextUrl({ path: "" }), /path must be a path in the body, but is ""/],
    ["nextUrl", () => nextUrl({ path: "a..b" }), /path/],
    ["nextUrl", () => nextUrl({ path: [] }), /path/],
    ["nextUrl", () => nextUrl({} as never), /path must be a path in the body, but is undefined/],
    [
      "cursorField",
      () => cursorField({ path: "a" } as never),
      /parameter must be the name of a parameter, but is undefined/,
    ],
    ["cursorField", () => cursorField({ path: "a", parameter: { body: "" } }), /parameter.body must be a path/],
    [
      "cursorField",
      () => cursorField({ path: "a", parameter: "b", hasmore: "c" } as never),
      /unknown option "hasmore"/,
    ],
    ["cursorField", () => cursorField({ path: "a", parameter: "b", hasMore: { header: "" } }), /hasMore.header/],
    ["lastItem", () => lastItem({ path: 7, parameter: "b" } as never), /path must be/],
    ["pageNumber", () => pageNumber({ first: -1 }), /first must be a whole number of at least 0/],
    ["pageNumber", () => pageNumber({ pageSize: 0 }), /pageSize must be a whole number of at least 1/],
    ["pageNumber", () => pageNumber({ shortPageEnds: true }), /shortPageEnds needs pageSize/],
    ["pageNumber", () => pageNumber({ shortPageEnds: 1 } as never), /shortPageEnds must be true or false/],
    ["pageNumber", () => pageNumber({ totalPages: "a", hasMore: "b" }), /totalPages and hasMore are set/],
    ["offsetLimit", () => offsetLimit({ total: "" }), /total must be a path/],
    ["offsetLimit", () => offsetLimit({ total: "a", shortPageEnds: true }), /total and shortPageEnds are set/],
    ["offsetLimit", () => offsetLimit({ pagesize: 1 } as never), /unknown option "pagesize"/],
  ])("of %s are checked when the source is defined", (_, define, message) => {
    expect(define).toThrow(ConfigurationError);
    expect(define).toThrow(message);
  });
});
