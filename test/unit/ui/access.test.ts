import { describe, expect, test } from "vitest";
import { Access } from "../../../ui/server/access.ts";

const access = new Access({ port: 4983, secret: "the-secret", token: "the-token" });
const cookie = "other=1; sluice-4983=the-secret";
const host = "127.0.0.1:4983";
const origin = "http://127.0.0.1:4983";

const verdict = (request: Parameters<Access["check"]>[0]) => {
  const found = access.check(request);
  return found.tag === "refused" ? found.status : found.tag;
};

describe("the dashboard's server answers", () => {
  test("the opened URL, and then requests with its cookie", () => {
    expect(access.url).toBe("http://127.0.0.1:4983/?token=the-token");
    expect(access.setCookie).toBe("sluice-4983=the-secret; HttpOnly; SameSite=Strict; Path=/");
    expect(verdict({ url: "/?token=the-token", headers: { host } })).toBe("enter");
    expect(verdict({ url: "/api/events", headers: { host, cookie } })).toBe("allowed");
  });

  test("a change of its own page", () => {
    const headers = { host, origin, cookie, "content-type": "application/json", "sec-fetch-site": "same-origin" };
    expect(verdict({ method: "POST", url: "/api/command", headers })).toBe("allowed");
  });
});

describe("the dashboard's server refuses", () => {
  test.each([
    ["no token and no cookie", 401, { url: "/", headers: { host } }],
    ["a wrong token", 401, { url: "/?token=the-Token", headers: { host } }],
    ["a token at another path", 401, { url: "/page.js?token=the-token", headers: { host } }],
    ["the cookie of another port", 401, { url: "/", headers: { host, cookie: "sluice-4984=the-secret" } }],
    ["a cookie that only begins like the right one", 401, { headers: { host, cookie: "sluice-4983=the-secre" } }],
    ["another name for this machine, as after DNS rebinding", 403, { headers: { host: "evil.example:4983", cookie } }],
    ["another port in the name", 403, { headers: { host: "127.0.0.1:80", cookie } }],
    ["no Host", 403, { headers: { cookie } }],
    ["another origin", 403, { headers: { host, cookie, origin: "http://evil.example" } }],
    ["another port of this machine", 403, { headers: { host, cookie, origin: "http://127.0.0.1:4984" } }],
    ["the origin null", 403, { headers: { host, cookie, origin: "null" } }],
    ["a read from another site", 403, { headers: { host, cookie, "sec-fetch-site": "cross-site" } }],
    ["a read from another port", 403, { headers: { host, cookie, "sec-fetch-site": "same-site" } }],
    [
      "a change without an origin",
      403,
      { method: "POST", headers: { host, cookie, "content-type": "application/json" } },
    ],
    ["a change as a form", 415, { method: "POST", headers: { host, cookie, origin, "content-type": "text/plain" } }],
    [
      "a token in a change",
      401,
      { method: "POST", url: "/?token=the-token", headers: { host, origin, "content-type": "application/json" } },
    ],
  ] as const)("%s", (_, status, request) => expect(verdict(request)).toBe(status));
});
