import { describe, expect, it, vi } from "vitest";
import { ConfigurationError, SourceError } from "../../../shared/base/errors.ts";
import { Throttled } from "../../../shared/index.ts";
import {
  type HttpPagesOptions,
  httpPages,
  linkHeader,
  type Page,
  pageNumber,
  singlePage,
} from "../../../shared/sources/index.ts";
import { serve } from "./loopback.ts";
import { itemsOf, never, pagesOf, readContext } from "./reading.ts";

const URL_WITH_SECRET = "https://api.example.com/items?token=secret";
const NOW = Date.parse("2026-11-05T12:00:00Z");

/** A source with scripted responses, one for each attempt, and a clock that stands still. */
function scripted(answers: readonly (Response | Error)[], options: Partial<HttpPagesOptions> = {}) {
  const requests: { readonly url: string; readonly init: RequestInit }[] = [];
  const pauses: number[] = [];
  const fetch = async (url: unknown, init: RequestInit = {}) => {
    requests.push({ url: String(url), init });
    const answer = answers[requests.length - 1];
    if (answer instanceof Response) return answer;
    throw answer ?? new Error("no answer is left");
  };
  const source = httpPages(
    { url: URL_WITH_SECRET, next: singlePage, fetch: fetch as typeof globalThis.fetch, ...options },
    {
      random: () => 0.5,
      now: () => NOW,
      sleep: async (milliseconds) => {
        pauses.push(milliseconds);
      },
    },
  );
  return { source, requests, pauses };
}

const ok = () => Response.json(["item"]);
const failed = (status: number, headers: Record<string, string> = {}) => new Response("busy", { status, headers });
const messageOf = async (reading: Promise<unknown>) => {
  const thrown = await reading.catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(SourceError);
  return (thrown as Error).message;
};

describe("httpPages retries a request", () => {
  it.each([408, 429, 500, 502, 503, 504, 599])("after %i", async (status) => {
    const { source, pauses } = scripted([failed(status), ok()]);
    expect(await itemsOf(source)).toEqual(["item"]);
    expect(pauses).toEqual([250]);
  });

  it("after a network error, with a backoff that doubles up to its cap, under full jitter", async () => {
    const reset = () => new TypeError("fetch failed", { cause: new Error("read ECONNRESET") });
    const retry = { attempts: 10, backoff: { cap: { seconds: 3 } } };
    const { source, pauses, requests } = scripted(Array.from({ length: 10 }, reset), { retry });
    expect(await messageOf(itemsOf(source))).toBe(
      "GET https://api.example.com/items?… failed: fetch failed (read ECONNRESET) (10 attempts)",
    );
    expect(requests).toHaveLength(10);
    expect(pauses).toEqual([250, 500, 1_000, 1_500, 1_500, 1_500, 1_500, 1_500, 1_500]);
  });

  it("5 times by default, at most 30 s apart", async () => {
    const { source, pauses, requests } = scripted(Array.from({ length: 9 }, () => failed(503)));
    expect(await messageOf(itemsOf(source))).toBe(
      "GET https://api.example.com/items?… answered 503 : busy (5 attempts)",
    );
    expect([requests.length, pauses]).toEqual([5, [250, 500, 1_000, 2_000]]);
  });

  it("after an incomplete body", async () => {
    const broken = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode('["it'));
        controller.error(new TypeError("terminated"));
      },
    });
    const { source, requests } = scripted([new Response(broken), ok()]);
    expect(await itemsOf(source)).toEqual(["item"]);
    expect(requests).toHaveLength(2);
  });

  it("never if attempts is 1", async () => {
    const { source, pauses } = scripted([failed(503)], { retry: { attempts: 1 } });
    expect(await messageOf(itemsOf(source))).toBe("GET https://api.example.com/items?… answered 503 : busy");
    expect(pauses).toEqual([]);
  });

  it.each([400, 401, 403, 404, 410, 422, 304])("not after %i", async (status) => {
    const response = new Response(status === 304 ? null : `<p>\n  ${"long ".repeat(100)}</p>`, {
      status,
      statusText: "No",
    });
    const { source, requests } = scripted([response, ok()]);
    const message = await messageOf(itemsOf(source));
    expect(message).toMatch(
      new RegExp(`^GET https://api.example.com/items\\?… answered ${status} No: (<p> long|\\(an empty)`),
    );
    expect(message.length).toBeLessThan(280);
    expect(message).not.toContain("secret");
    expect(requests).toHaveLength(1);
  });
});

describe("httpPages, a service that asks to wait", () => {
  /** What reading throws, after requests without pauses between them. */
  async function thrownBy(status: number, headers: Record<string, string>, options: Partial<HttpPagesOptions> = {}) {
    const { source, pauses, requests } = scripted([failed(status, headers), ok()], options);
    const thrown = await itemsOf(source).catch((error: unknown) => error);
    expect([requests.length, pauses]).toEqual([1, []]);
    return thrown as Error;
  }

  const in40Seconds = String(NOW / 1_000 + 40);
  const forms: [string, Record<string, string>, number][] = [
    ["Retry-After in seconds", { "retry-after": "7" }, 7_000],
    ["Retry-After in fractions of a second", { "retry-after": "0.5" }, 500],
    ["Retry-After as an HTTP date", { "retry-after": "Thu, 05 Nov 2026 12:02:00 GMT" }, 120_000],
    ["RateLimit", { ratelimit: '"default";r=0;t=30' }, 30_000],
    ["X-RateLimit-Reset since 1970", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": in40Seconds }, 40_000],
    ["X-RateLimit-Reset in seconds", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "45" }, 45_000],
    ["a Retry-After of hours", { "retry-after": "86400" }, 86_400_000],
  ];

  it.each(forms)("by %s gets no further request: the first attempt throws the wait", async (_, headers, wait) => {
    for (const status of [429, 403, 503]) {
      const thrown = await thrownBy(status, headers);
      expect(thrown).toBeInstanceOf(Throttled);
      expect(thrown).toMatchObject({ afterMilliseconds: wait });
      expect(thrown.message).toMatch(
        `GET https://api.example.com/items?… answered ${status} : busy (the service asks to wait`,
      );
    }
  });

  it.each([408, 500, 502, 504])("by Retry-After with %i gets no further request, either", async (status) => {
    expect(await thrownBy(status, { "retry-after": "90" })).toMatchObject({ afterMilliseconds: 90_000 });
  });

  it("is not confused with a 403 for a missing permission", async () => {
    const left = { "x-ratelimit-remaining": "4999", "x-ratelimit-reset": in40Seconds };
    for (const headers of [{}, left]) expect(await thrownBy(403, headers)).toBeInstanceOf(SourceError);
  });

  it.each([
    ["no time", {}],
    ["a time that has passed", { "retry-after": "Thu, 05 Nov 2026 11:00:00 GMT" }],
    ["a time of 0", { "retry-after": "0" }],
    ["what cannot be read", { "retry-after": "soon" }],
  ])(
    "with %s gets another request after the backoff, and the last attempt throws a wait without a time",
    async (_, headers) => {
      const busy = () => failed(429, headers);
      const { source, pauses } = scripted([busy(), ok()]);
      expect(await itemsOf(source)).toEqual(["item"]);
      expect(pauses).toEqual([250]);
      const always = scripted([busy(), busy(), busy()], { retry: { attempts: 3 } });
      const thrown = await itemsOf(always.source).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(Throttled);
      expect(thrown).toMatchObject({
        afterMilliseconds: undefined,
        message: "GET https://api.example.com/items?… answered 429 : busy (3 attempts)",
      });
    },
  );

  it("for longer than maxRetryAfter is a permanent error", async () => {
    const thrown = await thrownBy(429, { "retry-after": "86401" });
    expect(thrown).toMatchObject({ code: "SOURCE", permanent: true });
    expect(thrown.message).toBe(
      "GET https://api.example.com/items?… answered 429 : busy (the service asks to wait 86401 s, longer than " +
        "retry.maxRetryAfter of 24 h: raise maxRetryAfter, or resume the run when the service accepts requests again)",
    );
    const retry = (seconds: number) => ({ retry: { maxRetryAfter: { seconds } } });
    expect(await thrownBy(429, { "retry-after": "30" }, retry(30))).toBeInstanceOf(Throttled);
    expect(await thrownBy(429, { "retry-after": "31" }, retry(30))).toBeInstanceOf(SourceError);
  });
});

describe("httpPages, time", () => {
  const silent = () => serve(() => new Promise<never>(() => undefined));

  it("counts an attempt that exceeds its timeout, and tries again", async () => {
    const { origin } = await silent();
    // Count here, because on a busy machine a request may time out before it reaches the server.
    const fetch = vi.fn(globalThis.fetch);
    const options = { timeout: { milliseconds: 20 }, retry: { attempts: 2 }, fetch };
    const source = httpPages({ url: `${origin}/x`, next: singlePage, ...options }, { sleep: async () => undefined });
    expect(await messageOf(pagesOf(source))).toBe(`GET ${origin}/x took longer than 20 ms (2 attempts)`);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it("counts the body into the timeout", async () => {
    const stalled = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("[")) });
    const fetch = async (_: unknown, { signal }: RequestInit) => {
      // As fetch does: an abort errors the body.
      const abort = new TransformStream();
      void stalled.pipeTo(abort.writable, signal ? { signal } : {}).catch(() => undefined);
      return new Response(abort.readable);
    };
    const options = { timeout: { milliseconds: 20 }, retry: { attempts: 1 }, fetch: fetch as typeof globalThis.fetch };
    const source = httpPages({ url: URL_WITH_SECRET, next: singlePage, ...options });
    expect(await messageOf(pagesOf(source))).toBe("GET https://api.example.com/items?… took longer than 20 ms");
  });

  it("throws the signal's reason when it fires during a request", async () => {
    const abort = new AbortController();
    const reason = new Error("the slice is over");
    const { origin, requests } = await serve(() => {
      abort.abort(reason);
      return new Promise<never>(() => undefined);
    });
    await expect(pagesOf(httpPages({ url: origin, next: singlePage }), undefined, abort.signal)).rejects.toBe(reason);
    expect(requests).toHaveLength(1);
  });

  it("throws the signal's reason when it fires during a pause", async () => {
    const abort = new AbortController();
    const reason = new Error("the slice is over");
    const fetch = async () => {
      setImmediate(() => abort.abort(reason));
      return failed(503);
    };
    const source = httpPages({ url: URL_WITH_SECRET, next: singlePage, fetch: fetch as typeof globalThis.fetch });
    await expect(pagesOf(source, undefined, abort.signal)).rejects.toBe(reason);
  });

  it("requests nothing when the signal has fired before", async () => {
    const { source, requests } = scripted([ok()]);
    await expect(pagesOf(source, undefined, AbortSignal.abort(new Error("over")))).rejects.toThrow("over");
    expect(requests).toHaveLength(0);
  });
});

describe("httpPages, the request", () => {
  it("accepts headers as an object", async () => {
    const { origin, requests } = await serve(() => ({ body: [] }));
    await pagesOf(httpPages({ url: origin, next: singlePage, headers: { "X-Key": "k", accept: "text/json" } }));
    expect(requests[0]?.headers).toMatchObject({ "x-key": "k", accept: "text/json" });
  });

  it("calls the function for headers before each attempt", async () => {
    let token = 0;
    const headers = async ({ signal }: { signal: AbortSignal }) => {
      expect(signal).toBe(never);
      token += 1;
      return { authorization: `Bearer ${token}` };
    };
    const { source, requests } = scripted([failed(503), ok()], { headers });
    await pagesOf(source);
    const sent = requests.map(({ init }) => Object.fromEntries(init.headers as Headers));
    expect(sent).toEqual([1, 2].map((count) => ({ accept: "application/json", authorization: `Bearer ${count}` })));
  });

  it("throws what the function for headers throws", async () => {
    const headers = () => Promise.reject(new Error("no token"));
    await expect(pagesOf(scripted([ok()], { headers }).source)).rejects.toThrow("no token");
    const invalid = pagesOf(scripted([ok()], { headers: () => ({ authorization: "sec\nret" }) }).source);
    await expect(invalid).rejects.toThrow(/headers must be an object of names and values/);
    await expect(invalid).rejects.not.toThrow(/sec/);
  });

  it("does not wait forever for the function for headers", async () => {
    const headers = () => new Promise<never>(() => {});
    const slow = pagesOf(scripted([ok()], { headers, timeout: { milliseconds: 5 } }).source);
    await expect(slow).rejects.toThrow("the function headers took longer than 5 ms (timeout)");
    const stop = new AbortController();
    const stopped = pagesOf(scripted([ok()], { headers }).source, undefined, stop.signal);
    stop.abort(new Error("the slice is over"));
    await expect(stopped).rejects.toThrow("the slice is over");
  });

  it("calls the function for the URL when reading starts", async () => {
    const { origin } = await serve(({ url }) => ({ body: [url.pathname] }));
    let base = "";
    const source = httpPages({ url: () => base, next: singlePage });
    await expect(pagesOf(source)).rejects.toThrow(/url must be an absolute URL with http or https, but is ""/);
    base = `${origin}/late`;
    expect(await itemsOf(source)).toEqual(["/late"]);
    expect(await itemsOf(httpPages({ url: new URL(base), next: singlePage }))).toEqual(["/late"]);
  });

  it("treats 204 as a page without items", async () => {
    expect(await pagesOf(scripted([new Response(null, { status: 204 })]).source)).toEqual([{ items: [] }]);
  });

  it("fails with a clear message if the response is not JSON", async () => {
    const page = new Response("<html>Log in</html>", { headers: { "content-type": "text/html" } });
    const { source, requests } = scripted([page, ok()]);
    expect(await messageOf(pagesOf(source))).toBe(
      "GET https://api.example.com/items?… did not answer with JSON (text/html): <html>Log in</html>",
    );
    expect(requests).toHaveLength(1);
  });

  it("reads a body of maxBodyBytes in chunks that divide characters, and stops reading a larger one", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify(["🏙".repeat(255)]));
    expect(bytes).toHaveLength(1_024);
    let sent = 0;
    const byteByByte = (end: number) =>
      new ReadableStream({
        pull: (controller) => {
          if (sent === end) controller.close();
          else controller.enqueue(bytes.subarray(sent % 1_024, (sent++ % 1_024) + 1));
        },
      });
    const fits = scripted([new Response(byteByByte(1_024))], { maxBodyBytes: 1_024 });
    expect(await itemsOf(fits.source)).toEqual(["🏙".repeat(255)]);
    const large = scripted([new Response(byteByByte(Number.POSITIVE_INFINITY))], { maxBodyBytes: 1_024 });
    expect(await messageOf(itemsOf(large.source))).toMatch(/answered with more than 1024 bytes: request smaller pages/);
    expect(sent).toBeLessThan(1_024 + 1_024 + 10);
  });
});

describe("httpPages, other origins", () => {
  const secret = { authorization: "Bearer secret" };

  it("follows a link to another origin only if the origin is allowed", async () => {
    const other = await serve(() => ({ body: [2] }));
    const { origin } = await serve(() => ({ body: [1], headers: { link: `<${other.origin}/2>; rel="next"` } }));
    const options = { url: origin, next: linkHeader, headers: secret };
    const pages: Page[] = [];
    const reading = async () => {
      for await (const page of httpPages(options).pages(undefined, readContext())) pages.push(page);
    };
    expect(await messageOf(reading())).toBe(
      `the next page is at ${other.origin}, another origin than ${origin}. Sluice did not request it, because the request ` +
        `would contain the headers. To allow such requests, set allowOrigins: ["${other.origin}"]`,
    );
    expect(other.requests).toHaveLength(0);
    expect(pages).toMatchObject([{ items: [1], next: { at: `${other.origin}/2` } }]);

    expect(await itemsOf(httpPages({ ...options, allowOrigins: [other.origin] }))).toEqual([1, 2]);
    expect(other.requests[0]?.headers).toMatchObject(secret);
  });

  it.each<[string, string, RegExp]>([
    [
      "with a password",
      "http://user:word@127.0.0.1:9/2",
      /^the next page is at a URL of http:\/\/127.0.0.1:9 that contains a user/,
    ],
    [
      "that is a script",
      "javascript:alert(1)",
      /^the next page is at a URL with javascript:, but must be at http: or https:/,
    ],
    ["of a file", "file:///etc/passwd", /^the next page is at a URL with file:, but must be at http: or https:/],
  ])("does not follow a URL %s, and does not show its secret", async (_, url, message) => {
    const { origin } = await serve(() => ({ body: [1], headers: { link: `<${url}>; rel="next"` } }));
    const options = { url: origin, next: linkHeader, allowOrigins: ["http://127.0.0.1:9"] };
    const shown = await messageOf(pagesOf(httpPages(options)));
    expect(shown).toMatch(message);
    expect(shown).not.toContain("word@");
  });

  it("follows redirects, but not to another origin", async () => {
    const other = await serve(() => ({ body: [2] }));
    const { origin, requests } = await serve(({ url }) => {
      if (url.pathname === "/old") return { status: 301, headers: { location: "/new/list" } };
      if (url.pathname === "/away") return { status: 302, headers: { location: other.origin } };
      if (url.search === "?page=2") return { body: [2] };
      return { body: [1], headers: { link: '<?page=2>; rel="next"' } };
    });
    const options = { next: linkHeader, headers: secret };
    expect(await messageOf(pagesOf(httpPages({ ...options, url: `${origin}/away` })))).toMatch(/at .*, another origin/);
    expect(other.requests).toHaveLength(0);
    expect(await itemsOf(httpPages({ ...options, url: `${origin}/old` }))).toEqual([1, 2]);
    // The relative link was resolved against the URL of the response.
    expect(requests.at(-1)?.url.pathname).toBe("/new/list");
  });

  it("fails at redirects that never end, have no valid target, or would drop the body", async () => {
    const { origin, requests } = await serve(({ url }) => ({
      status: url.pathname === "/kept" ? 307 : 302,
      headers: { location: url.pathname === "/bad" ? "http://[" : "/again" },
    }));
    const reading = (path: string, options = {}) =>
      messageOf(pagesOf(httpPages({ url: `${origin}${path}`, next: singlePage, ...options })));
    expect(await reading("/again")).toMatch(/was redirected more than 5 times$/);
    expect(requests).toHaveLength(6);
    expect(await reading("/bad")).toMatch(/a redirect to "http:\/\/\[" that cannot be followed: set the option url/);
    expect(await reading("/post", { body: {} })).toMatch(
      /answered 302, a redirect to "\/again" that cannot be followed/,
    );
    expect(await reading("/kept", { body: {} })).toMatch(/^POST .*\/again answered 302/);
  });

  it("does not confuse a path that starts with two slashes with a host", async () => {
    const { origin, requests } = await serve(({ url }) =>
      url.pathname === "/"
        ? { body: [1], headers: { link: `<${url.origin}//evil.example/x>; rel="next"` } }
        : { body: [2] },
    );
    expect(await itemsOf(httpPages({ url: origin, next: linkHeader }))).toEqual([1, 2]);
    expect(requests[1]?.url.host).toBe(requests[0]?.url.host);
    expect(requests).toHaveLength(2);
  });
});

describe("httpPages, options", () => {
  it.each<[object, RegExp]>([
    [{ url: "/items" }, /url must be an absolute URL with http or https, but is "\/items": write it in full/],
    [{ url: undefined }, /url must be/],
    [{ url: "ftp://example.com" }, /url must be/],
    [{ url: "https://user:pass@example.com" }, /url must not contain a user or a password \(example.com\)/],
    [{ next: undefined }, /next must be a pagination, but is undefined: use linkHeader/],
    [{ next: pageNumber }, /next must be a pagination, but is a function/],
    [{ next: "link" }, /next must be a pagination/],
    [{ items: "" }, /items must be a path in the body/],
    [{ itmes: "data" }, /unknown option "itmes"/],
    [{ headers: { "a b": "c" } }, /headers must be an object of names and values/],
    [{ headers: { authorization: "a\nb" } }, /headers must be/],
    [{ body: [] }, /body must be an object, but is \[\]/],
    [{ body: null }, /body must be an object, but is null/],
    [
      { allowOrigins: ["https://example.com/"] },
      /allowOrigins must be a list of origins, but contains "https:\/\/example.com\/"/,
    ],
    [{ allowOrigins: ["example.com"] }, /allowOrigins/],
    [{ allowOrigins: "https://example.com" }, /allowOrigins/],
    [{ timeout: { milliseconds: 0 } }, /timeout must be between 1 ms and 15 min, but is 0 ms/],
    [{ timeout: { minutes: 16 } }, /timeout must be/],
    [{ timeout: 30 }, /timeout must be a duration/],
    [{ retry: 5 }, /retry must be an object, but is 5/],
    [{ retry: { attempts: 0 } }, /retry.attempts must be/],
    [{ retry: { maxRetries: 1 } }, /unknown option "maxRetries"/],
    [{ retry: { maxRetryAfter: { days: 8, milliseconds: 1 } } }, /retry.maxRetryAfter must be/],
    [{ maxBodyBytes: 1_023 }, /maxBodyBytes must be a whole number from 1024 to 268435456, but is 1023/],
    [{ maxBodyBytes: 268_435_457 }, /maxBodyBytes/],
  ])("refuses %j", (options, message) => {
    const define = () => httpPages({ url: URL_WITH_SECRET, next: singlePage, ...options } as HttpPagesOptions);
    expect(define).toThrow(ConfigurationError);
    expect(define).toThrow(message);
  });

  it("accepts the limits of its options, and a cap below the default base", () => {
    const define = (options: Partial<HttpPagesOptions>) => () =>
      httpPages({ url: URL_WITH_SECRET, next: singlePage, ...options });
    expect(define({ timeout: { milliseconds: 1 }, maxBodyBytes: 1_024 })).not.toThrow();
    expect(define({ timeout: { minutes: 15 }, maxBodyBytes: 268_435_456 })).not.toThrow();
    expect(define({ retry: { maxRetryAfter: { days: 8 }, backoff: { cap: { milliseconds: 10 } } } })).not.toThrow();
    expect(define({ allowOrigins: ["https://eu.example.com", "http://localhost:8080"] })).not.toThrow();
  });

  it.each([[null], [7], [{ at: 2 }], [{ at: 2, seen: 3 }]])("refuses the cursor %j", async (cursor) => {
    await expect(pagesOf(scripted([ok()]).source, cursor)).rejects.toThrow(/does not come from httpPages/);
  });
});
