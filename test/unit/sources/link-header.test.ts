import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SourceError } from "../../../shared/base/errors.ts";
import { httpPages, linkHeader } from "../../../shared/sources/index.ts";
import { parseLinkHeader } from "../../../shared/sources/link-header.ts";
import { serve } from "./loopback.ts";
import { pagesOf } from "./reading.ts";

/** The target of the first next link; `undefined` if there is none; or the word for a header that is malformed. */
function nextOf(header: string): string | undefined {
  const { links, malformed } = parseLinkHeader(header);
  const next = links.find(({ rels }) => rels.includes("next"));
  return next?.target ?? (malformed === undefined ? undefined : "malformed");
}

describe("a Link header", () => {
  it.each([
    ["quoted", '</2>; rel="next"'],
    ["without quotes", "</2>; rel=next"],
    ["in single quotes", "</2>; rel='next'"],
    ["without spaces", "<u>;rel=prev,</2>;rel=next"],
    ["with spaces everywhere", ' <u> ; rel = "prev" , < /2 > ; rel = "next" '],
    ["with tabs", '<u>;\trel="prev",\t</2>\t;\trel\t=\t"next"'],
    ["without a semicolon before a parameter", '</2> rel="next" title="x"'],
    ["in capitals", '</2>; REL="NEXT"'],
    ["among several relations", '<u>; rel="first", </2>; rel="last next"'],
    ["among several relations without quotes", "</2>; rel=prev next"],
    ["beside a relation that is a URI", '</2>; rel="https://example.com/rels/more?a=b,c next"'],
    ["after other links", '</css>; rel=preload; as=style, <u>; rel="prev", </2>; rel="next", <u>; rel="last"'],
    ["after commas and semicolons in a URL", '<u?a=1,2;b=3,>; rel="prev", </2>; rel="next"'],
    ["after commas and semicolons in a title", '<u>; title="a, <b>; rel=next"; rel="prev", </2>; rel="next"'],
    ["after an escaped quote in a title", '<u>; title="a \\", <b>; rel=next"; rel="prev", </2>; rel="next"'],
    ["after a comma in single quotes", "<u>; title='a, b'; rel='prev', </2>; rel='next'"],
    ["after an apostrophe", "</2>; title=O'Hara; rel='next'"],
    ["after a leading apostrophe", "</2>; title='s; rel='next'"],
    ["after a parameter without a value", '</2>; crossorigin; results; rel="next"'],
    ["before a parameter without a value", '</2>; rel="next"; crossorigin'],
    ["after other parameters", '</2>; page="2"; per_page=50; hreflang=de; rel="next"; title*=UTF-8\'de\'n%c3%a4chste'],
    ["after empty elements", ', ,</2>;; rel="next";,'],
    ["in an extended parameter", "</2>; rel*=UTF-8''n%65xt"],
    ["in rel, where rel* says something else", "</2>; rel=next; rel*=UTF-8''prev"],
    ["in the first rel", '</2>; rel="next"; rel="prev"'],
    ["twice: the first counts", '</2>; rel="next", </3>; rel="next"'],
    ["before something malformed", '</2>; rel="next", page 3'],
  ])("finds the next page %s", (_, header) => {
    expect(nextOf(header)).toBe("/2");
  });

  it.each([
    ["", undefined],
    [" , ", undefined],
    ["</1>; rel=prev", undefined],
    ['</1>; rel="prev"; rel="next"', undefined],
    ["</1>; rev=next; rel=prev", undefined],
    ["</1>; rel=next-archive", undefined],
    ['</1>; title="rel=next"; rel=last', undefined],
    ["</docs>; title=docs", undefined],
    ["<>; rel=next", ""],
    ['<https://[::1]/a?b={c}|d^`e`>; rel="next"', "https://[::1]/a?b={c}|d^`e`"],
  ])("%j has the next page %j", (header, next) => {
    expect(nextOf(header)).toBe(next);
  });

  it.each([
    'https://example.com/2; rel="next"',
    '"/2"; rel="next"',
    'next="/2"',
    "next: /2",
    '</2; rel="next"',
    '</2; rel="next", </3>; rel="last"',
    '</2; rel="next"; title="a>b"',
    '</1>; rel="prev" </2>; rel="next"',
    '</1>; rel=prev </2>; rel="next"',
    '</1>; rel="prev"; </2>; rel="next"',
    '</2>; rel="next',
    '</2>; rel="next; title="a"',
    '</2>; rel=next"',
    "</2>; rel='next",
    "</2>; rel=\"'next'\"",
    "</2>; rel=“next”",
    "</2>; rel=&quot;next&quot;",
    "</2>; title=a rel=next",
    "</2>; title='a; rel=next; b='",
    "</2>; ref=next",
    "</2>; next",
    "</2>; rel=last; next",
    "</2>; rel; next",
    '</2>; rel=""',
    "</2>; rel=",
    "</2>, rel=next",
    "</2>; = next",
    "</2>; rel*=UTF-7''next",
    "</2>; rel*=UTF-8''%e4next",
    "</2>; rel*=next",
  ])("is malformed if a next page may be hidden in it: %s", (header) => {
    expect(nextOf(header)).toBe("malformed");
  });

  it("keeps the bytes of a URL beyond ASCII", () => {
    const bytes = Buffer.from('</städte?ab=ü>; rel="next"').toString("latin1");
    expect(nextOf(bytes)).toBe("/st%C3%A4dte?ab=%C3%BC");
  });
});

const RELATIONS = ["first", "prev", "last", "self", "up", "https://example.com/rels/x"];
const spaces = fc.stringMatching(/^[ \t]{0,2}$/);
const target = fc.stringMatching(/^[a-z0-9/?&=%,;.:'!*()@$+#~-]{1,12}$/).filter((url) => !/rel\*?=/i.test(url));
const otherParameter = fc.oneof(
  fc.constantFrom("crossorigin", "as=style", "page=2", "title=x", "title*=UTF-8'en'%e2%82%ac"),
  fc.stringMatching(/^[ -~]{0,12}$/).map((text) => `title="${text.replaceAll(/["\\]/g, "\\$&")}"`),
  fc
    .stringMatching(/^[ -&(-:<-~]{0,12}$/)
    .filter((text) => !/[;,] *</.test(text))
    .map((text) => `title='${text}'`),
);
const relParameter = (rel: string) =>
  fc
    .tuple(fc.constantFrom("rel", "REL", "Rel"), spaces, spaces, fc.constantFrom('"', "'", ""))
    .map(([name, before, after, quote]) => `${name}${before}=${after}${quote}${rel}${quote}`);
const link = (url: string, rel: string) =>
  fc
    .tuple(
      fc.array(otherParameter, { maxLength: 2 }),
      relParameter(rel),
      fc.array(otherParameter, { maxLength: 2 }),
      spaces,
    )
    .map(([before, own, after, space]) => [`<${url}>`, ...before, own, ...after].join(`${space};${space}`));
const otherLink = fc.tuple(target, fc.constantFrom(...RELATIONS)).chain(([url, rel]) => link(url, rel));
const nextLink = fc
  .tuple(target, fc.constantFrom("next", "last next", "NEXT", "next https://example.com/rels/y"))
  .chain(([url, rel]) => link(url, rel).map((text) => ({ url, text })));
const headerWithNext = fc
  .tuple(fc.array(otherLink, { maxLength: 3 }), nextLink, fc.array(otherLink, { maxLength: 2 }), spaces)
  .map(([before, next, after, space]) => ({
    url: next.url,
    header: [...before, next.text, ...after].join(`${space},${space}`),
  }));

describe("any Link header", () => {
  it("with a next page yields that page", () => {
    fc.assert(
      fc.property(headerWithNext, ({ header, url }) => {
        expect(nextOf(header)).toBe(url);
      }),
      { numRuns: 2_000 },
    );
  });

  it("without a next page yields none, and is not malformed", () => {
    fc.assert(
      fc.property(fc.array(otherLink, { maxLength: 4 }), (links) => {
        expect(nextOf(links.join(", "))).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it("with a missing or additional character of syntax never counts as the end", () => {
    const broken = fc.tuple(headerWithNext, fc.nat(), fc.constantFrom("", '"', "'", "<", ">", ",", ";", "=", " "));
    fc.assert(
      fc.property(broken, ([{ header }, at, inserted]) => {
        const place = at % header.length;
        const changed = header.slice(0, place) + inserted + header.slice(inserted === "" ? place + 1 : place);
        // A word that is missing cannot be found.
        fc.pre(/\bnext\b/i.test(changed));
        expect(nextOf(changed)).toBeDefined();
      }),
      { numRuns: 5_000 },
    );
  });

  it("of any characters is parsed without an exception", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (header) => void parseLinkHeader(header)));
    const syntax = fc.string({ unit: fc.constantFrom(..."<>\"'\\;,= \trelnxtUTF8*%") });
    fc.assert(
      fc.property(syntax, (header) => void parseLinkHeader(header)),
      { numRuns: 2_000 },
    );
  });
});

describe("linkHeader", () => {
  /** Reads pages with these Link headers, and returns the items or the error, and the warnings. */
  async function read(headers: readonly (string | undefined)[], body: unknown = ["item"]) {
    const { origin, requests } = await serve(() => {
      const link = headers[requests.length - 1];
      const text = link?.replaceAll("ORIGIN", origin);
      return { body: requests.length === headers.length ? body : ["item"], headers: text ? { link: text } : {} };
    });
    const warnings: string[] = [];
    const source = httpPages({ url: `${origin}/x?token=secret`, next: linkHeader, allowRepeatedPages: true });
    const error = await pagesOf(source, undefined, undefined, warnings).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error !== undefined) expect(error).toBeInstanceOf(SourceError);
    const shown = (text: string) => text.replaceAll(origin, "");
    return {
      asked: requests.map(({ url }) => url.pathname + url.search),
      error: error === undefined ? undefined : shown((error as Error).message),
      warnings: warnings.map(shown),
    };
  }

  it("ends at a valid page without a next link, with or without a header, and without a warning", async () => {
    for (const last of [undefined, '</1>; rel="first"', "</css>; rel=preload"]) {
      expect(await read(['</2>; rel="next"', last])).toEqual({
        asked: ["/x?token=secret", "/2"],
        error: undefined,
        warnings: [],
      });
    }
    expect((await read(['</1>; rel="first", </1>; rel="last"'])).warnings).toEqual([]);
  });

  it("does not end at a page that is not valid", async () => {
    const { error } = await read(['</2>; rel="next"', undefined], { message: "sorry" });
    expect(error).toMatch(/^the body of \/2 is not a list of items/);
  });

  it("warns if page 1 has no Link header, or no links to pages", async () => {
    expect((await read([undefined])).warnings).toEqual([
      "page 1 of /x has no Link header and counts as the only page: check whether the API pages in another way",
    ]);
    expect((await read(["</css>; rel=preload; as=style, </api>; rel=help"])).warnings).toEqual([
      "page 1 of /x has a Link header without pages (rel: preload, help) and counts as the only page: " +
        "check whether the API pages in another way",
    ]);
  });

  it("shows a header that is malformed", async () => {
    expect((await read(["/2; rel=next"])).error).toBe(
      'the Link header of /x cannot be read (there is no <URL> at character 1): "/2; rel=next". If the body of ' +
        "the response names the next page, use nextUrl or cursorField",
    );
  });

  it("follows a next link of this page, and refuses one of another page", async () => {
    const own = '<?c=2>; rel="next"; anchor="#top"';
    expect((await read([`</9>; rel="next"; anchor="/other", ${own}`, undefined])).asked).toEqual([
      "/x?token=secret",
      "/x?c=2",
    ]);
    expect((await read(['</9>; rel="next"; anchor="ORIGIN/other"'])).error).toMatch(
      /^the Link header of \/x cannot be read \(its next link belongs to another page, which its anchor names\)/,
    );
  });

  it("finds the next page in several headers, which fetch joins by a comma", async () => {
    const response = (page: number) => {
      const headers = new Headers();
      headers.append("link", '</css>; rel=preload; title="a, b"');
      if (page === 1) headers.append("link", "</2>; rel='next'");
      return Response.json([page], { headers });
    };
    let page = 0;
    const fetch = (async () => {
      page++;
      const answer = response(page);
      Object.defineProperty(answer, "url", { value: "https://example.com/1" });
      return answer;
    }) as typeof globalThis.fetch;
    const pages = await pagesOf(httpPages({ url: "https://example.com/1", next: linkHeader, fetch }));
    expect(pages.flatMap(({ items }) => items)).toEqual([1, 2]);
  });
});
