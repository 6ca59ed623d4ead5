import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** What may be done with a request. */
export type Verdict =
  | { readonly tag: "allowed" }
  /** The URL that was opened has the token. */
  | { readonly tag: "enter" }
  | { readonly tag: "refused"; readonly status: number; readonly message: string };

/**
 * Decides which requests the server answers. See "Security" in `docs/internals/dashboard.md`.
 *
 * - The `Host` must be the server's own, so that a page of another site cannot use a name that leads to 127.0.0.1.
 * - The `Origin` and `Sec-Fetch-Site` must not be those of another site. A change needs an `Origin`.
 * - The cookie must have the secret. Only the opened URL, which has the token, sets the cookie.
 */
export class Access {
  readonly #origin: string;
  readonly #secret: string;
  readonly #token: string;
  readonly #cookie: string;

  constructor({ port, secret, token }: { readonly port: number; readonly secret: string; readonly token: string }) {
    this.#origin = `http://127.0.0.1:${port}`;
    this.#secret = secret;
    this.#token = token;
    // All ports of a host share their cookies.
    this.#cookie = `sluice-${port}`;
  }

  /** The URL to open. It contains the access token. */
  get url(): string {
    return `${this.#origin}/?token=${this.#token}`;
  }

  /** The header that sets the cookie. */
  get setCookie(): string {
    return `${this.#cookie}=${this.#secret}; HttpOnly; SameSite=Strict; Path=/`;
  }

  check({ method = "GET", url = "/", headers }: Pick<IncomingMessage, "method" | "url" | "headers">): Verdict {
    const { host, origin, cookie = "" } = headers;
    if (host === undefined || `http://${host}` !== this.#origin) {
      return refused(403, `this server answers at ${this.#origin} only`);
    }
    if (origin !== undefined && origin !== this.#origin) return refused(403, "the request comes from another site");
    const site = headers["sec-fetch-site"];
    if (site !== undefined && site !== "same-origin" && site !== "none") {
      return refused(403, "the request comes from another site");
    }
    const isRead = method === "GET" || method === "HEAD";
    if (!isRead) {
      if (origin === undefined) return refused(403, "a change needs the header Origin");
      if (!/^application\/json\b/.test(headers["content-type"] ?? ""))
        return refused(415, "a change needs a JSON body");
    }
    if (!URL.canParse(url, this.#origin)) return refused(400, "the request has no valid URL");
    const { pathname, searchParams } = new URL(url, this.#origin);
    const token = searchParams.get("token");
    if (isRead && pathname === "/" && token !== null && isSame(token, this.#token)) return { tag: "enter" };
    const given = cookie
      .split(";")
      .map((part) => part.trim())
      .find((part) => part.startsWith(`${this.#cookie}=`))
      ?.slice(this.#cookie.length + 1);
    if (given !== undefined && isSame(given, this.#secret)) return { tag: "allowed" };
    return refused(401, "open the URL that `npx sluice ui` printed: it has the token for this server");
  }
}

const refused = (status: number, message: string): Verdict => ({ tag: "refused", status, message });

/** Compares two texts in constant time. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
