import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod";
import { type Behaviour, behaviourOf, DEFAULT_SEED, latencyMilliseconds, UNSETTLED_REQUESTS } from "./behaviour.ts";
import { type City, indexAfter, loadCities } from "./dataset.ts";

export interface CitiesServiceOptions {
  /** The port. Default 0: a free port. */
  readonly port?: number;
  /** Decides the behaviour and the latency of each city. The same seed makes the same service. */
  readonly seed?: number;
  /** The cities, by ascending id. Default: all of `loadCities()`. */
  readonly cities?: readonly City[];
  /** The behaviour of a city. Default: `behaviourOf`. */
  readonly behaviour?: (id: number) => Behaviour;
  /** The latency of the n-th request (from 1) for a city, in milliseconds. Default: `latencyMilliseconds`. */
  readonly latency?: (id: number, request: number) => number;
  /**
   * How many detail requests are served at once. Above it, the first two requests for a city are refused with 429.
   * Default 32, below the concurrency of 50 of the workflow, so that a run reaches the limit.
   */
  readonly parallelLimit?: number;
  /** The `Retry-After` of a 429, in seconds. Default 1. */
  readonly retryAfterSeconds?: number;
  /**
   * The latency of a 429, in milliseconds. Default 100. If refusals took no time, the client would at once be refused
   * with the next city, and all cities would be refused in the time of a few answers.
   */
  readonly refusalMilliseconds?: number;
}

/** Counts of requests since the service started. */
export interface CitiesServiceCounts {
  pages: number;
  /** Detail requests, by how they were answered. */
  answered: number;
  throttled: number;
  failed: number;
  hung: number;
  malformed: number;
  gone: number;
  /** Invalid requests: an unknown path, city or parameter. */
  rejected: number;
  /** Detail requests that are being served now. They count against the limit. */
  parallel: number;
  /** The highest value of `parallel`. */
  peakParallel: number;
}

export interface CitiesService {
  /** The URL, such as `http://127.0.0.1:40123`, without a slash at the end. */
  readonly url: string;
  readonly counts: Readonly<CitiesServiceCounts>;
  /** Stops the service, and ends all requests, even those under way. */
  close(): Promise<void>;
}

const DEFAULT_PAGE_LIMIT = 200;
const MAXIMUM_PAGE_LIMIT = 1_000;

const wholeNumber = (name: string, minimum: number, maximum: number) => {
  const error = `${name} must be a whole number from ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^\d+$/, { error })
    .transform(Number)
    .pipe(z.number().min(minimum, error).max(maximum, error));
};

const cityId = wholeNumber("the id of a city", 1, Number.MAX_SAFE_INTEGER);

const listParameters = z.strictObject({
  limit: wholeNumber("limit", 1, MAXIMUM_PAGE_LIMIT).default(DEFAULT_PAGE_LIMIT),
  after: wholeNumber("after", 0, Number.MAX_SAFE_INTEGER).default(0),
});

/**
 * Starts a paged REST API on loopback over the cities of GeoNames. It has the faults of real services.
 *
 * - `GET /cities?limit=200&after=2960`: a page of `{ id, name, country }` by ascending id, from the id after `after`.
 *   Unless it is the last page, the header `Link: <...>; rel="next"` names the next page.
 * - `GET /cities/2960`: one `City` after the latency, or the response of the city's `Behaviour`.
 *
 * @example
 * ```ts
 * const service = await startCitiesService();
 * const page = await fetch(`${service.url}/cities`);
 * await service.close();
 * ```
 */
export async function startCitiesService(options: CitiesServiceOptions = {}): Promise<CitiesService> {
  const seed = options.seed ?? DEFAULT_SEED;
  const api = new CitiesApi(options.cities ?? (await loadCities()), {
    behaviour: options.behaviour ?? ((id) => behaviourOf(id, seed)),
    latency: options.latency ?? ((id, request) => latencyMilliseconds(id, request, seed)),
    parallelLimit: options.parallelLimit ?? 32,
    retryAfterSeconds: options.retryAfterSeconds ?? 1,
    refusalMilliseconds: options.refusalMilliseconds ?? 100,
  });
  const server = createServer((request, response) => api.handle(request, response));
  // If an idle connection closed just as the client used it, the request would fail although the seed has no failure
  // there.
  server.keepAliveTimeout = 60_000;
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts: api.counts,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

type ApiOptions = Required<Omit<CitiesServiceOptions, "port" | "seed" | "cities">>;

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The reply to a request. It is decided when the request arrives. */
interface Reply {
  readonly count: Exclude<keyof CitiesServiceCounts, "parallel" | "peakParallel">;
  /** Absent: the request is never answered. */
  readonly answer?: Answer;
  /** The latency. Default 0. */
  readonly afterMilliseconds?: number;
  /** Whether the request counts against the limit until it is answered or the client closes the connection. */
  readonly takesPlace?: true;
}

class CitiesApi {
  readonly counts: CitiesServiceCounts = {
    pages: 0,
    answered: 0,
    throttled: 0,
    failed: 0,
    hung: 0,
    malformed: 0,
    gone: 0,
    rejected: 0,
    parallel: 0,
    peakParallel: 0,
  };
  readonly #cities: readonly City[];
  readonly #options: ApiOptions;
  readonly #byId: ReadonlyMap<number, City>;
  readonly #requests = new Map<number, number>();

  constructor(cities: readonly City[], options: ApiOptions) {
    this.#cities = cities;
    this.#options = options;
    this.#byId = new Map(cities.map((city) => [city.id, city]));
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const { count, answer, afterMilliseconds = 0, takesPlace } = this.#decide(request);
    this.counts[count] += 1;
    if (takesPlace) this.#takePlace(response);
    if (answer === undefined) return;
    if (afterMilliseconds === 0) {
      send(response, answer);
      return;
    }
    const timer = setTimeout(() => send(response, answer), afterMilliseconds);
    response.once("close", () => clearTimeout(timer));
  }

  #takePlace(response: ServerResponse): void {
    this.counts.parallel += 1;
    this.counts.peakParallel = Math.max(this.counts.peakParallel, this.counts.parallel);
    // Emitted exactly once, after the response was sent or the client closed the connection.
    response.once("close", () => {
      this.counts.parallel -= 1;
    });
  }

  #decide(request: IncomingMessage): Reply {
    // The base turns the path into a whole URL.
    const target = URL.parse(request.url ?? "", "http://127.0.0.1");
    const [, collection, id, ...rest] = target?.pathname.split("/") ?? [];
    if (target === null || collection !== "cities" || rest.length > 0) {
      return rejection(404, "there is only /cities and /cities/:id");
    }
    if (request.method !== "GET") return rejection(405, "only GET is allowed", { allow: "GET" });
    return id === undefined ? this.#list(target.searchParams) : this.#detail(id);
  }

  #list(query: URLSearchParams): Reply {
    const names = [...query.keys()];
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) return rejection(400, `${twice} is given twice`);
    const parameters = listParameters.safeParse(Object.fromEntries(query));
    if (!parameters.success) return rejection(400, messageOf(parameters.error));

    const { limit, after } = parameters.data;
    const start = indexAfter(this.#cities, after);
    const page = this.#cities.slice(start, start + limit);
    const last = page.at(-1);
    const more = last !== undefined && start + limit < this.#cities.length;
    return {
      count: "pages",
      answer: {
        status: 200,
        body: page.map(({ id, name, country }) => ({ id, name, country })),
        // A relative URL, as RFC 8288 allows. A stored link stays valid after the service has moved to another port.
        headers: more ? { link: `</cities?limit=${limit}&after=${last.id}>; rel="next"` } : {},
      },
    };
  }

  #detail(idText: string): Reply {
    const id = cityId.safeParse(idText);
    if (!id.success) return rejection(400, messageOf(id.error));
    const city = this.#byId.get(id.data);
    if (city === undefined) return rejection(404, `there is no city ${id.data}`);

    const request = (this.#requests.get(city.id) ?? 0) + 1;
    this.#requests.set(city.id, request);
    const { parallelLimit, retryAfterSeconds, refusalMilliseconds, behaviour, latency } = this.#options;
    if (this.counts.parallel >= parallelLimit && request <= UNSETTLED_REQUESTS) {
      return {
        count: "throttled",
        answer: {
          status: 429,
          body: { error: `more than ${parallelLimit} requests at once` },
          headers: { "retry-after": String(retryAfterSeconds) },
        },
        afterMilliseconds: refusalMilliseconds,
      };
    }
    return {
      ...treat(city, request, behaviour(city.id)),
      afterMilliseconds: latency(city.id, request),
      takesPlace: true,
    };
  }
}

function treat(city: City, request: number, behaviour: Behaviour): Pick<Reply, "count" | "answer"> {
  const answered: Reply = { count: "answered", answer: { status: 200, body: city } };
  switch (behaviour.kind) {
    case "answers":
      return answered;
    case "heals":
      return request > behaviour.failures ? answered : failure("the replica is not up to date");
    case "fails":
      return failure("the record cannot be read");
    case "hangs":
      return { count: "hung" };
    case "malformed":
      return { count: "malformed", answer: { status: 200, body: spoil(city, behaviour.how) } };
    case "gone":
      return {
        count: "gone",
        answer: { status: behaviour.status, body: { error: "the city was merged into another" } },
      };
  }
}

function spoil(city: City, how: "latitude missing" | "longitude as text"): unknown {
  if (how === "longitude as text") return { ...city, longitude: String(city.longitude) };
  const { latitude: _, ...rest } = city;
  return rest;
}

function failure(error: string): Pick<Reply, "count" | "answer"> {
  return { count: "failed", answer: { status: 500, body: { error } } };
}

function rejection(status: number, error: string, headers: Record<string, string> = {}): Reply {
  return { count: "rejected", answer: { status, body: { error }, headers } };
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

function messageOf(error: z.ZodError): string {
  return error.issues.map(({ message }) => message).join("; ");
}
