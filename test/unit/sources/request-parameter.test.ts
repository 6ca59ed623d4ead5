import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
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
import type { JsonObject } from "../../../shared/sources/pagination.ts";
import { withParameter } from "../../../shared/sources/request-parameter.ts";
import { type Reply, serve } from "./loopback.ts";
import { pagesOf } from "./reading.ts";

const search = (url: string, parameter: string, value: string | number) =>
  withParameter({ url: new URL(url) }, parameter, value).url.search;

describe("a query", () => {
  it.each([
    // [the query of the user, the query of the next page]
    ["", "?c=2"],
    ["?", "?c=2"],
    ["?$filter=status%20eq%20%27open%27", "?$filter=status%20eq%20%27open%27&c=2"],
    ["?a=b+c&d=e%20f", "?a=b+c&d=e%20f&c=2"],
    ["?tag=x&tag=y&tag=x", "?tag=x&tag=y&tag=x&c=2"],
    ["?a=&b&=&&c2=1", "?a=&b&=&&c2=1&c=2"],
    ["?a=1&", "?a=1&c=2"],
    ["?fields[]=a&page[size]=5", "?fields[]=a&page[size]=5&c=2"],
    ["?q=%C3%BC%zz%E4:/?@,;!~*()|{}", "?q=%C3%BC%zz%E4:/?@,;!~*()|{}&c=2"],
    ["?c=1", "?c=2"],
    ["?a=1&c=1&b=2", "?a=1&c=2&b=2"],
    ["?a=1&c&b=2&c=9", "?a=1&c=2&b=2"],
    ["?C=1", "?C=1&c=2"],
    ["?%63=1&x=%63", "?%63=2&x=%63"],
    ["?a=1#c=1?b", "?a=1&c=2"],
  ])("%j becomes %j on the next page", (before, after) => {
    const request = { url: new URL(`https://example.com/p%20q/${before}`) };
    const { url } = withParameter(request, "c", 2);
    expect(url.search).toBe(after);
    expect(url.pathname).toBe("/p%20q/");
    expect(request.url.href).toBe(`https://example.com/p%20q/${before}`);
    // The next page starts from the same query, and only the value of the parameter differs.
    expect(withParameter({ url }, "c", 3).url.search).toBe(after.replace("=2", "=3"));
  });

  it("accepts any name and value of a parameter", () => {
    expect(search("https://a/?$top=5", "$skip", 5)).toBe("?$top=5&$skip=5");
    expect(search("https://a/?$top=5&%24skip=0", "$skip", 5)).toBe("?$top=5&%24skip=5");
    expect(search("https://a/?page%5Bnumber%5D=1", "page[number]", 2)).toBe("?page%5Bnumber%5D=2");
    expect(search("https://a/?page[number]=1", "page[number]", 2)).toBe("?page[number]=2");
    expect(search("https://a/", "a b&c", "a+b=&c/😀#")).toBe("?a%20b%26c=a%2Bb%3D%26c%2F%F0%9F%98%80%23");
    expect(() => search("https://a/", "c", "\ud800")).toThrow(SourceError);
    expect(() => search("https://a/", "c", "\ud800")).toThrow(/cannot hold .* half of a surrogate pair/);
  });

  it("stays the same except for the parameter, whose value the server decodes exactly", () => {
    const text = fc.string({ unit: "binary" }).map((each) => each.toWellFormed());
    const query = fc.oneof(text, fc.string({ unit: fc.constantFrom(..."ab&=+%20$'[];?/c") }));
    const name = fc.constantFrom("c", "$skip", "page[after]", "a b");
    fc.assert(
      fc.property(query, name, text, (before, parameter, value) => {
        const url = new URL("https://example.com/");
        url.search = before;
        const own = (part: string) => new URLSearchParams(`&${part}`).has(parameter);
        const others = (each: string) =>
          each
            .replace(/^\?/, "")
            .split("&")
            .filter((part) => part !== "" && !own(part));
        const after = withParameter({ url }, parameter, value).url;
        expect(others(after.search)).toEqual(others(url.search));
        expect(after.searchParams.getAll(parameter)).toEqual([value]);
        // Only the parameter is added.
        expect(withParameter({ url: after }, parameter, value).url.search).toBe(after.search);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a source's requests", () => {
  const QUERY = "$filter=status%20eq%20'open'&tag=a&tag=b&q=x+y&empty=&flag";
  const SENT = "$filter=status%20eq%20%27open%27&tag=a&tag=b&q=x+y&empty=&flag";

  async function targets(replies: readonly Reply[], next: HttpPagesOptions["next"], path: string) {
    const { origin, requests } = await serve(() => replies[requests.length - 1] ?? { status: 404 });
    await pagesOf(httpPages({ url: `${origin}${path}`, items: "d", next }));
    return requests.map(({ target }) => target);
  }

  it.each([
    ["cursorField", cursorField({ path: "n", parameter: "c" }), "", "&c=a%2Fb"],
    ["lastItem", lastItem({ path: "id", parameter: "after", hasMore: "more" }), "", "&after=7"],
    ["pageNumber", pageNumber({ hasMore: "more" }), "&page=1", "&page=2"],
    ["offsetLimit", offsetLimit({ hasMore: "more", pageSize: 9 }), "&offset=0&limit=9", "&offset=1&limit=9"],
  ])("keep the user's query with %s, and page 1 exactly as written", async (_, next, first, second) => {
    const replies = [
      { body: { d: [{ id: 7 }], n: "a/b", more: true } },
      { body: { d: [{ id: 8 }], n: null, more: false } },
    ];
    expect(await targets(replies, next, `/items?${QUERY}#part`)).toEqual([
      `/items?${SENT}${first}`,
      `/items?${SENT}${second}`,
    ]);
  });

  it("send the URL of a link exactly as the API wrote it", async () => {
    const url = "/items?$filter=a%20eq%20'b'&q=x+y&tag=a&tag=b&empty=&$skiptoken=%2f";
    const replies = (page: object) => [{ body: { d: [1], ...page } }, { body: { d: [2], n: null } }];
    const sent = [`/items?${SENT}`, url.replaceAll("'", "%27")];
    expect(await targets(replies({ n: url }), nextUrl({ path: "n" }), `/items?${QUERY}`)).toEqual(sent);
    const [first, last] = replies({});
    const linked = [{ ...first, headers: { link: `<${url}>; rel=next` } }, { ...last }];
    expect(await targets(linked, linkHeader, `/items?${QUERY}`)).toEqual(sent);
  });

  const BODY = {
    query: "…",
    filter: { z: [1, "b", null], a: "ü" },
    variables: { first: 2, after: null, ids: [] },
    n: 1e21,
  };

  it("keep the order and the values of the body", async () => {
    const { origin, requests } = await serve(() => ({
      body: { d: [requests.length], n: requests.length < 3 ? `x${requests.length}` : "" },
    }));
    const next = cursorField({ path: "n", parameter: { body: "variables.after" } });
    await pagesOf(httpPages({ url: origin, body: BODY, items: "d", next }));
    const sent = JSON.stringify(BODY);
    expect(requests.map(({ body }) => body)).toEqual([
      sent,
      sent.replace('"after":null', '"after":"x1"'),
      sent.replace('"after":null', '"after":"x2"'),
    ]);
  });

  it("keep the body when the caller changes its object later, and add a field at its end", async () => {
    const { origin, requests } = await serve(() => ({
      body: { d: [requests.length], n: requests.length < 2 ? 5 : 0 },
    }));
    const body = { b: { list: [1] }, a: 1 };
    const source = httpPages({
      url: origin,
      body,
      items: "d",
      next: cursorField({ path: "n", parameter: { body: "b.c" } }),
    });
    body.b.list.push(2);
    await pagesOf(source);
    expect(requests.map((request) => request.body)).toEqual([
      '{"b":{"list":[1]},"a":1}',
      '{"b":{"list":[1],"c":5},"a":1}',
    ]);
  });

  it("set a field inside a list of the body", () => {
    const body = { queries: [{ q: "a" }, { q: "b", from: 0 }] };
    const set = (path: string[]) => withParameter({ url: new URL("https://a"), body }, { body: path }, 9).body;
    expect(set(["queries", "1", "from"])).toEqual({ queries: [{ q: "a" }, { q: "b", from: 9 }] });
    expect(set(["queries", "1"])).toEqual({ queries: [{ q: "a" }, 9] });
    expect(set(["constructor", "x"])).toEqual({ ...body, constructor: { x: 9 } });
  });
});

describe("a body without a place for the parameter", () => {
  const define = (body: JsonObject | undefined, next: HttpPagesOptions["next"]) => () =>
    httpPages({ url: "https://example.com", next, ...(body !== undefined && { body }) });
  const cursor = cursorField({ path: "n", parameter: { body: "a.b" } });

  it.each<[JsonObject | undefined, HttpPagesOptions["next"], RegExp]>([
    [
      { a: "x" },
      cursor,
      /^the parameter cannot be at a > b in the body: a is "x", which the parameter would overwrite/,
    ],
    [
      { a: [1] },
      cursor,
      /^the parameter cannot be at a > b in the body: a is \[1\], which the parameter would overwrite/,
    ],
    [
      { a: [1] },
      lastItem({ path: "id", parameter: { body: "a.1" } }),
      /a is \[1\], which the parameter would overwrite/,
    ],
    [
      { page: { a: 1 }, size: 7 },
      pageNumber({ parameter: { body: "size.a" } }),
      /size is 7, which the parameter would overwrite/,
    ],
    [
      { size: 7 },
      pageNumber({ pageSize: 1, sizeParameter: { body: "size.a" } }),
      /size is 7, which the parameter would overwrite/,
    ],
    [{ size: 7 }, offsetLimit({ offset: { body: "size.a" } }), /size is 7, which the parameter would overwrite/],
    [{ size: 7 }, offsetLimit({ limit: { body: "size.a" } }), /size is 7, which the parameter would overwrite/],
    [undefined, cursor, /^parameter \{"body":"a.b"\} is a field of the body, but the source has no body/],
  ])("is refused when the source is defined: %j", (body, next, message) => {
    expect(define(body, next)).toThrow(ConfigurationError);
    expect(define(body, next)).toThrow(message);
  });

  it("is refused if it is not JSON", () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    expect(define(circular as never, pageNumber())).toThrow(ConfigurationError);
    expect(define(circular as never, pageNumber())).toThrow(/^body must be JSON: .*circular/);
  });

  it("is not a body in which the field is missing or null", () => {
    for (const body of [{}, { a: null }, { a: { b: 1 } }]) expect(define(body, cursor)).not.toThrow();
    expect(define(undefined, pageNumber({ parameter: { body: "page" } }))).not.toThrow();
  });
});
