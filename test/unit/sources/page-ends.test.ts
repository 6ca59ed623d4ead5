import { describe, expect, it } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import {
  cursorField,
  type HttpPagesOptions,
  httpPages,
  nextUrl,
  offsetLimit,
  pageNumber,
  singlePage,
} from "../../../shared/sources/index.ts";
import { type Reply, serve } from "./loopback.ts";
import { pagesOf } from "./reading.ts";

/** Reads a source with scripted responses: returns its items or its error, its warnings, and the requests. */
async function read(
  replies: readonly Reply[],
  options: Omit<HttpPagesOptions, "url">,
): Promise<{ items?: unknown[]; error?: string; warnings: string[]; asked: string[] }> {
  const server = await serve(() => replies[server.requests.length - 1] ?? { status: 500 });
  const warnings: string[] = [];
  const source = httpPages({ url: `${server.origin}/x`, retry: { attempts: 1 }, ...options });
  const outcome = await pagesOf(source, undefined, undefined, warnings).then(
    (pages) => ({ items: pages.flatMap((page) => page.items) }),
    (error: unknown) => {
      expect(error).toBeInstanceOf(SourceError);
      return { error: (error as Error).message.replaceAll(server.origin, "") };
    },
  );
  return {
    ...outcome,
    warnings: warnings.map((text) => text.replaceAll(server.origin, "")),
    asked: server.requests.map(({ url }) => url.search),
  };
}

const page = (fields: object, ids = [1]): Reply => ({ body: { data: ids.map((id) => ({ id })), ...fields } });

describe("a field that leads to the next page", () => {
  const cursor = { items: "data", next: cursorField({ path: "meta.nextCursor", parameter: "cursor" }) };
  const url = { items: "data", next: nextUrl({ path: "links.next" }) };

  it("is an error if it is absent, and the message lists the existing fields and suggests one", async () => {
    expect(await read([page({ meta: { next_cursor: "b", total: 250 } })], cursor)).toEqual({
      error:
        "the field meta > nextCursor is absent; meta: it is an object with the keys next_cursor, total " +
        '(is "next_cursor" meant?). Each page of /x must have the field; on the last page it is null or empty. Correct the ' +
        "path, or set absentEnds: true if the API leaves the field out on its last page",
      warnings: [],
      asked: [""],
    });
  });

  it.each<[string, object, RegExp]>([
    [
      "an object above it is absent",
      {},
      /^the field meta > nextCursor is absent; the body: .* with the keys data\. Each page/,
    ],
    ["it is null there", { meta: null }, /^the field meta > nextCursor is absent; meta: it is null\. Each page/],
    ["it is a list there", { meta: [] }, /^the field meta > nextCursor is absent; meta: it is a list of 0\. Each page/],
    [
      "only a prototype has it",
      { meta: { constructor: 1 } },
      /is absent; meta: .* with the keys constructor\. Each page/,
    ],
  ])("is an error if %s", async (_, fields, message) => {
    expect((await read([page(fields)], cursor)).error).toMatch(message);
  });

  it("is an error if it is absent on a later page", async () => {
    const { error, asked } = await read([page({ meta: { nextCursor: "b" } }), page({ meta: {} }, [2])], cursor);
    expect(error).toMatch(/^the field meta > nextCursor is absent; meta: it is an object without keys\. Each page/);
    expect(asked).toEqual(["", "?cursor=b"]);
    expect((await read([page({ links: { next: "?b" } }), page({ links: {} }, [2])], url)).error).toMatch(
      /^the field links > next is absent; links: it is an object without keys\. Each page/,
    );
  });

  it("is an error if it is a function that returns undefined", async () => {
    const next = cursorField({ path: (body) => (body as { next?: string }).next, parameter: "cursor" });
    expect((await read([page({ nxt: "b" })], { items: "data", next })).error).toMatch(
      /^the value that the function returned for the body is undefined; the body: .* keys data, nxt\. Each page/,
    );
  });

  it.each([null, "", false, 0])("ends the source if it is %j, without a warning", async (end) => {
    expect(await read([page({ meta: { nextCursor: "b" } }), page({ meta: { nextCursor: end } }, [2])], cursor)).toEqual(
      {
        items: [{ id: 1 }, { id: 2 }],
        warnings: [],
        asked: ["", "?cursor=b"],
      },
    );
    if (end === 0) return;
    expect(await read([page({ links: { next: "?b" } }), page({ links: { next: end } }, [2])], url)).toMatchObject({
      items: [{ id: 1 }, { id: 2 }],
      warnings: [],
    });
  });

  it("is an error if it is true, because then the path names a flag", async () => {
    expect((await read([page({ meta: { nextCursor: true } })], cursor)).error).toBe(
      "the field meta > nextCursor of /x must hold a cursor, but is true: check the path",
    );
  });

  it("that may be absent ends the source on a later page, and warns on page 1", async () => {
    const lenient = { items: "data", next: cursorField({ path: "next", parameter: "cursor", absentEnds: true }) };
    expect(await read([page({ next: "b" }), page({}, [2])], lenient)).toEqual({
      items: [{ id: 1 }, { id: 2 }],
      warnings: [],
      asked: ["", "?cursor=b"],
    });
    expect(await read([page({ Next: "b" })], lenient)).toEqual({
      items: [{ id: 1 }],
      warnings: [
        "page 1 of /x counts as the only page: the field next is absent; the body: it is an object with the keys " +
          'data, Next (is "Next" meant?)',
      ],
      asked: [""],
    });
    const odata = { items: "data", next: nextUrl({ path: ["@odata.nextLink"], absentEnds: true }) };
    expect(await read([page({ "@odata.nextLink": "?b" }), page({}, [2])], odata)).toMatchObject({ warnings: [] });
    expect((await read([page({})], odata)).warnings).toEqual([
      expect.stringMatching(/^page 1 of \/x counts as the only page: the field @odata.nextLink is absent/),
    ]);
  });
});

describe("a GraphQL connection", () => {
  const connection = (endCursor: unknown, hasNextPage: unknown, ids = [1]) => ({
    body: { data: { users: { nodes: ids, pageInfo: { endCursor, hasNextPage } } } },
  });
  const options = {
    body: { query: "…", variables: { first: 1 } },
    items: "data.users.nodes",
    next: cursorField({ path: "data.users.pageInfo.endCursor", parameter: { body: "variables.after" } }),
  };

  it("ends if hasNextPage is false, although endCursor is not null", async () => {
    expect(await read([connection("a", true), connection("b", false, [2])], options)).toMatchObject({
      items: [1, 2],
      asked: ["", ""],
    });
  });

  it("ends if hasNextPage is false and endCursor is null, as on an empty page", async () => {
    expect(await read([connection(null, false, [])], options)).toMatchObject({ items: [], warnings: [] });
  });

  it("is an error if hasNextPage is true without a cursor", async () => {
    const { error } = await read([connection(null, true)], options);
    expect(error).toBe(
      "the field data > users > pageInfo > hasNextPage of /x says that a page follows, but " +
        "the field data > users > pageInfo > endCursor is null",
    );
  });

  it("without hasNextPage is read until its cursor is null", async () => {
    const pages = [connection("a", undefined), connection(null, undefined, [])];
    expect(await read(pages, options)).toMatchObject({ items: [1] });
  });

  it("that fails partly is a source error with the service's messages", async () => {
    const failed = {
      data: { users: null },
      errors: [
        { message: "Something timed out", path: ["users", "nodes"], extensions: { code: "TIMEOUT" } },
        { message: "a" },
        { message: "b" },
        { message: "c" },
      ],
    };
    const { error, asked } = await read([connection("a", true), { body: failed }], options);
    expect(error).toBe(
      '/x answered with errors: "Something timed out" (TIMEOUT) at users > nodes; "a"; "b" (and 1 more). ' +
        "Because of the errors, items may be missing from the page. Correct the request, or set allowErrors: true if such pages are complete",
    );
    expect(asked).toHaveLength(2);
  });

  it("that fails completely is a source error with the service's message", async () => {
    expect((await read([{ body: { errors: [{ message: "Field 'usres' doesn't exist" }] } }], options)).error).toMatch(
      /^\/x answered with errors: "Field 'usres' doesn't exist"\. /,
    );
  });

  it("with errors is read if errors are allowed, with a warning, and still needs its items", async () => {
    const partial = { ...connection("a", false).body, errors: [{ message: "no avatar" }] };
    expect(await read([{ body: partial }], { ...options, allowErrors: true })).toMatchObject({
      items: [1],
      warnings: ['/x answered with errors, which allowErrors accepts: "no avatar"'],
    });
    const failed = { data: { users: null }, errors: [{ message: "no users" }] };
    expect((await read([{ body: failed }], { ...options, allowErrors: true })).error).toMatch(
      /^the field data > users > nodes of \/x is not a list of items: /,
    );
  });
});

describe("a body's errors", () => {
  const list = { items: "data", next: singlePage };

  it.each<[unknown, string | undefined]>([
    [{ message: "shard 2 timed out", code: "PARTIAL" }, '"shard 2 timed out" (PARTIAL)'],
    ["shard 2 timed out", '"shard 2 timed out"'],
    [null, undefined],
    ["", undefined],
    [false, undefined],
  ])("in the field error beside items, such as %j, are a warning", async (error, message) => {
    const { items, warnings } = await read([page({ error })], { items: "data", next: singlePage });
    expect(items).toEqual([{ id: 1 }]);
    const warning = `/x answered with an error beside its items, so items may be missing: ${message}`;
    expect(warnings).toEqual(message === undefined ? [] : [warning]);
  });

  it("in one response of a batch are an error", async () => {
    const body = [{ data: { users: [1] } }, { data: null, errors: [{ message: "no access" }] }];
    const batch = { items: ["0", "data", "users"], next: singlePage };
    expect((await read([{ body }], batch)).error).toMatch(/^\/x answered with errors: "no access"\. /);
    expect(await read([{ body: body.slice(0, 1) }], batch)).toMatchObject({ items: [1] });
    // If the list is the list of items, the task decides about each of them.
    expect(await read([{ body }], { next: singlePage })).toMatchObject({ items: body });
  });

  it.each([[[]], [null], [false], [""], [{}], [0]])("%j are none", async (errors) => {
    expect(await read([page({ errors })], list)).toMatchObject({ items: [{ id: 1 }], warnings: [] });
  });

  it.each<[unknown, string]>([
    [["shard 3"], '"shard 3"'],
    [{ shard: 3 }, '{"shard":3}'],
    ["shard 3", '"shard 3"'],
    [[{ title: "Gone", code: "410" }], '"Gone" (410)'],
    [[null], "null"],
  ])("%j are an error beside any items", async (errors, text) => {
    expect((await read([page({ errors })], list)).error).toContain(`/x answered with errors: ${text}. Because`);
  });

  it("are cut", async () => {
    expect((await read([page({ errors: ["x".repeat(10_000)] })], list)).error?.length).toBeLessThan(750);
  });

  it.each<[object, string]>([
    [{ ok: false, error: "ratelimited" }, '; the response says "ratelimited"; set the option items'],
    [
      { error: { message: "Invalid key", type: "auth" } },
      '; the response says "Invalid key" (auth); set the option items',
    ],
    [{ message: "Not Found" }, '; the response says "Not Found"; set the option items'],
  ])("or message are shown if the items are missing: %j", async (body, text) => {
    expect((await read([{ body }], list)).error).toContain(text);
  });
});

describe("statuses that end the source", () => {
  it.each([
    ["page number", pageNumber({ endStatuses: [400, 404] }), ["?page=1", "?page=2", "?page=3"]],
    [
      "page number with short pages",
      pageNumber({ pageSize: 1, shortPageEnds: true, endStatuses: [404] }),
      ["?page=1&per_page=1", "?page=2&per_page=1", "?page=3&per_page=1"],
    ],
    [
      "offset",
      offsetLimit({ pageSize: 1, endStatuses: [404] }),
      ["?offset=0&limit=1", "?offset=1&limit=1", "?offset=2&limit=1"],
    ],
  ])("end a source that is read by %s", async (_, next, asked) => {
    const replies = [{ body: [1] }, { body: [2] }, { status: 404, body: { message: "no such page" } }];
    expect(await read(replies, { next })).toEqual({ items: [1, 2], warnings: [], asked });
  });

  it("do not end the source on page 1, which must exist", async () => {
    expect((await read([{ status: 404, body: "no" }], { next: pageNumber({ endStatuses: [404] }) })).error).toBe(
      "GET /x?… answered 404 Not Found: no (page 1 must exist: endStatuses ends the source only after page 1)",
    );
  });

  it("are only the configured statuses", async () => {
    for (const next of [pageNumber(), pageNumber({ endStatuses: [400] }), offsetLimit()]) {
      const { error, items } = await read([{ body: [1] }, { status: 404, body: "no" }], { next });
      expect(error).toBe("GET /x?… answered 404 Not Found: no");
      expect(items).toBeUndefined();
    }
  });

  it.each<[object, RegExp]>([
    [
      { endStatuses: [401] },
      /^endStatuses must be .* but is \[401\]: .* such as \[404\]\. 401, 403, .* refuse the request/,
    ],
    [{ endStatuses: [404, 429] }, /^endStatuses must be/],
    [{ endStatuses: [399] }, /^endStatuses must be/],
    [{ endStatuses: [500] }, /^endStatuses must be/],
    [{ endStatuses: ["404"] }, /^endStatuses must be/],
    [{ endStatuses: [] }, /^endStatuses must be/],
    [{ endStatuses: 404 }, /^endStatuses must be/],
    [{ endStatuses: [404], hasMore: "more" }, /^endStatuses and hasMore both mark the last page: keep hasMore/],
  ])("are refused as %j", (options, message) => {
    for (const make of [pageNumber, offsetLimit]) {
      const define = () => make(options);
      expect(define).toThrow(ConfigurationError);
      expect(define).toThrow(message);
    }
  });

  it("may be 400 and 499", () => {
    expect(pageNumber({ endStatuses: [400, 499] }).endStatuses).toEqual([400, 499]);
  });
});

describe("a page 1 that may not be the only page", () => {
  const items = (count: number) => Array.from({ length: count }, (_, index) => index);
  const answer = (count: number, fields: object = {}, headers = {}): Reply => ({
    body: { data: items(count), ...fields },
    headers,
  });

  it.each<[string, Reply, HttpPagesOptions["next"], RegExp]>([
    [
      "fewer items than were asked for, and a round number of them",
      answer(100),
      pageNumber({ pageSize: 500, shortPageEnds: true }),
      /^page 1 of \/x has exactly 100 of 500 items, and counts as the only page \(shortPageEnds\): check whether the API/,
    ],
    [
      "fewer items than were asked for by offset",
      answer(100),
      offsetLimit({ pageSize: 500, shortPageEnds: true }),
      /^page 1 of \/x has exactly 100 of 500 items/,
    ],
    [
      "a total that may be the page's own count",
      answer(20, { count: 20 }),
      offsetLimit({ pageSize: 20, total: "count" }),
      /^page 1 of \/x counts as the only page: the field count is 20, which is also the number of items on page 1/,
    ],
    [
      "a next link that is not read",
      answer(3, {}, { link: '</2>; rel="next"' }),
      singlePage,
      /^the Link header of \/x names a next page, which singlePage does not read: use linkHeader$/,
    ],
  ])("causes a warning if it has %s", async (_, reply, next, message) => {
    const { warnings, error } = await read([reply], { items: "data", next });
    expect(error).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(message)]);
  });

  it.each<[string, readonly Reply[], HttpPagesOptions["next"]]>([
    ["has another number of items", [answer(99)], pageNumber({ pageSize: 500, shortPageEnds: true })],
    ["is empty", [answer(0)], pageNumber({ pageSize: 500, shortPageEnds: true })],
    ["ends by an empty page", [answer(10), answer(0)], pageNumber()],
    ["comes before a short one", [answer(20), answer(10)], offsetLimit({ pageSize: 20, shortPageEnds: true })],
    [
      "has fewer items than the pageSize in all",
      [answer(19, { count: 19 })],
      offsetLimit({ pageSize: 20, total: "count" }),
    ],
    ["has other links", [answer(3, {}, { link: "</css>; rel=preload" })], singlePage],
  ])("causes no warning if it %s", async (_, replies, next) => {
    expect(await read(replies, { items: "data", next })).toMatchObject({ warnings: [] });
  });

  it("is an error if its total is a lower bound and is reached", async () => {
    const next = offsetLimit({ pageSize: 3, total: "hits.total.value" });
    const total = (value: number, relation: string) => answer(3, { hits: { total: { value, relation } } });
    expect((await read([total(3, "gte")], { items: "data", next })).error).toBe(
      'the field hits > total > value of /x is 3, a lower bound (its relation is "gte"), so more items may follow: request ' +
        "the exact total, in Elasticsearch with track_total_hits: true in the body",
    );
    expect((await read([total(3, "eq")], { items: "data", next })).items).toHaveLength(3);
    const options = { items: "data", next, allowRepeatedPages: true };
    expect((await read([total(4, "gte"), total(6, "eq")], options)).items).toHaveLength(6);
  });

  it.each<[object, HttpPagesOptions["next"], string]>([
    [{ total: 2 }, offsetLimit({ total: "total" }), "total of /x is 2, but the page that ends at item 3 has items (3)"],
    [{ pages: 0 }, pageNumber({ totalPages: "pages" }), "pages of /x is 0, but page 1 has items (3)"],
  ])("is an error if it contradicts the count %j", async (fields, next, message) => {
    expect((await read([answer(3, fields)], { items: "data", next })).error).toBe(
      `the field ${message}: check whether the field counts something else`,
    );
  });

  it.each<[object, object, HttpPagesOptions["next"], string]>([
    [{ total: 9 }, { total: 5 }, offsetLimit({ total: "total" }), "total of /x is 5, but the page that ends at item 6"],
    [{ pages: 5 }, { pages: 1 }, pageNumber({ totalPages: "pages" }), "pages of /x is 1, but page 2"],
    [{ pages: 5 }, { pages: 0 }, pageNumber({ totalPages: "pages", first: 0 }), "pages of /x is 0, but page 1"],
  ])(
    "is followed by an error if a later page is beyond the count: %j, then %j",
    async (first, second, next, message) => {
      const options = { items: "data", next, allowRepeatedPages: true };
      const { error, asked } = await read([answer(3, first), answer(3, second)], options);
      expect(error).toBe(`the field ${message} has items (3): check whether the field counts something else`);
      expect(asked).toHaveLength(2);
    },
  );

  it("ends the source if the count falls to the number of items read, because items were deleted", async () => {
    for (const next of [offsetLimit({ total: "total" }), pageNumber({ totalPages: "pages" })]) {
      const replies = [answer(3, { total: 6, pages: 2 }), answer(0, { total: 3, pages: 1 })];
      expect((await read(replies, { items: "data", next })).items).toHaveLength(3);
    }
  });
});

describe("options of the last page", () => {
  it.each<[() => unknown, RegExp]>([
    [() => cursorField({ path: "a", parameter: "b", absentEnds: 1 as never }), /absentEnds must be true or false/],
    [() => cursorField({ path: "a", parameter: "b", absentEnds: true, hasMore: "c" }), /^hasMore and absentEnds both/],
    [() => nextUrl({ path: "a", absentEnds: "yes" as never }), /absentEnds must be true or false/],
    [() => httpPages({ url: "http://a", next: singlePage, allowErrors: 1 as never }), /allowErrors must be true/],
    [() => httpPages({ url: "http://a", next: singlePage, allowNullItems: 1 as never }), /allowNullItems must be true/],
  ])("are checked when the source is defined: %s", (define, message) => {
    expect(define).toThrow(ConfigurationError);
    expect(define).toThrow(message);
  });
});
