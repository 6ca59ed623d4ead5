import { connect } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { type Behaviour, behaviourOf } from "../../../workflows/cities-service/behaviour.ts";
import { type City, indexAfter, loadCities } from "../../../workflows/cities-service/dataset.ts";
import {
  type CitiesService,
  type CitiesServiceOptions,
  startCitiesService,
} from "../../../workflows/cities-service/service.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

const berlin: City = {
  id: 10,
  name: "Berlin",
  country: "DE",
  feature: "PPLC",
  population: 3_426_354,
  latitude: 52.52437,
  longitude: 13.41053,
};
const few: readonly City[] = [berlin, { ...berlin, id: 20 }, { ...berlin, id: 30 }];

/** A service of three cities that all answer at once by default. */
async function start(options: CitiesServiceOptions = {}): Promise<CitiesService> {
  const service = await startCitiesService({
    cities: few,
    behaviour: () => ({ kind: "answers" }),
    latency: () => 0,
    refusalMilliseconds: 0,
    ...options,
  });
  onTestFinished(() => service.close());
  return service;
}

async function get<Body = unknown>(service: CitiesService, path: string, init?: RequestInit) {
  const response = await fetch(`${service.url}${path}`, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

/** The target of the link to the next page, as a path. */
function nextOf(headers: Headers): string | undefined {
  return /^<(\/[^>]*)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1];
}

/** Asks for a city that hangs, and returns when the service has the request. */
async function hang(service: CitiesService, id: number): Promise<AbortController> {
  const abort = new AbortController();
  const before = service.counts.hung;
  fetch(`${service.url}/cities/${id}`, { signal: abort.signal }).catch(() => {});
  await vi.waitFor(() => expect(service.counts.hung).toBe(before + 1), { ...PATIENTLY, interval: 2 });
  return abort;
}

const hangsIf =
  (...ids: number[]) =>
  (id: number): Behaviour => ({ kind: ids.includes(id) ? "hangs" : "answers" });

test("the pages hold each of the 135,233 cities once, by ascending id, and the chain of links ends", async () => {
  const cities = await loadCities();
  const service = await start({ cities });
  const ids: number[] = [];
  let path: string | undefined = "/cities?limit=1000";
  while (path !== undefined) {
    const page: { body: City[]; headers: Headers } = await get<City[]>(service, path);
    ids.push(...page.body.map(({ id }) => id));
    path = nextOf(page.headers);
  }
  expect(ids).toHaveLength(135_233);
  expect(ids).toEqual(cities.map(({ id }) => id));
  expect(new Set(ids).size).toBe(135_233);
  expect(service.counts.pages).toBe(136);
});

test("a page has 200 cities by default, with three fields each", async () => {
  const service = await start({ cities: await loadCities() });
  const first = await get<City[]>(service, "/cities");
  expect(first.body).toHaveLength(200);
  expect(first.body[0]).toEqual({ id: 2960, name: "‘Ayn Ḩalāqīm", country: "SY" });
  expect(nextOf(first.headers)).toBe(`/cities?limit=200&after=${first.body[199]?.id}`);
  expect((await get(service, "/cities?limit=7")).body).toEqual(first.body.slice(0, 7));
});

test("the last page has no link, whether it is full or not", async () => {
  const service = await start();
  const link = async (query: string) => (await get(service, `/cities?${query}`)).headers.get("link");
  expect(await link("limit=2")).toBe('</cities?limit=2&after=20>; rel="next"');
  expect(await link("limit=3")).toBeNull();
  expect(await link("limit=2&after=20")).toBeNull();
  expect(await link("limit=1&after=20")).toBeNull();
  const beyond = await get(service, "/cities?after=30");
  expect([beyond.body, beyond.headers.get("link")]).toEqual([[], null]);
});

test("a page starts at the next greater id even if no city has the id it comes after", async () => {
  expect([0, 9, 10, 11, 29, 30, 31].map((id) => indexAfter(few, id))).toEqual([0, 0, 1, 1, 2, 3, 3]);
  expect(indexAfter([], 5)).toBe(0);
});

test.each([
  ["/cities?limit=0", 400, "limit must be a whole number from 1 to 1000"],
  ["/cities?limit=1001", 400, "limit must be a whole number from 1 to 1000"],
  ["/cities?limit=", 400, "limit must be a whole number from 1 to 1000"],
  ["/cities?limit=1.5", 400, "limit must be a whole number from 1 to 1000"],
  ["/cities?after=-1", 400, "after must be a whole number from 0 to 9007199254740991"],
  ["/cities?after=x", 400, "after must be a whole number from 0 to 9007199254740991"],
  ["/cities?page=2", 400, 'Unrecognized key: "page"'],
  ["/cities?limit=1&limit=2", 400, "limit is given twice"],
  ["/cities/berlin", 400, "the id of a city must be a whole number from 1 to 9007199254740991"],
  ["/cities/0", 400, "the id of a city must be a whole number from 1 to 9007199254740991"],
  ["/cities/11", 404, "there is no city 11"],
  ["/cities/10/name", 404, "there is only /cities and /cities/:id"],
  ["/", 404, "there is only /cities and /cities/:id"],
])("%s is answered %i: %s", async (path, status, error) => {
  const service = await start();
  const response = await get(service, path);
  expect([response.status, response.body]).toEqual([status, { error }]);
  expect(service.counts.rejected).toBe(1);
});

test("limits of exactly 1 and 1000 are allowed", async () => {
  const service = await start();
  expect((await get(service, "/cities?limit=1")).body).toHaveLength(1);
  expect((await get(service, "/cities?limit=1000")).body).toHaveLength(3);
});

test("methods other than GET are refused", async () => {
  const response = await get(await start(), "/cities/10", { method: "POST" });
  expect([response.status, response.headers.get("allow")]).toEqual([405, "GET"]);
});

// Only Linux routes all of 127.0.0.0/8 to the loopback interface.
test.runIf(process.platform === "linux")("it listens on the loopback address only", async () => {
  const service = await start();
  expect(new URL(service.url).hostname).toBe("127.0.0.1");
  // Another address of the loopback network: it would answer if the service listened on all.
  const socket = connect(Number(new URL(service.url).port), "127.0.0.2");
  const outcome = await new Promise((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.once("error", () => resolve("refused"));
  });
  socket.destroy();
  expect(outcome).toBe("refused");
});

test("the details of a city are complete", async () => {
  const service = await start();
  const response = await get(service, "/cities/10");
  expect([response.status, response.body]).toEqual([200, berlin]);
  expect(service.counts.answered).toBe(1);
});

test.each([1, 2] as const)(
  "a city that heals after %i failures answers 500 so often, then its details",
  async (failures) => {
    const service = await start({ behaviour: () => ({ kind: "heals", failures }) });
    const statuses: number[] = [];
    for (let request = 1; request <= 4; request += 1) statuses.push((await get(service, "/cities/10")).status);
    expect(statuses).toEqual([...Array(failures).fill(500), ...Array(4 - failures).fill(200)]);
    // Each city heals independently.
    expect((await get(service, "/cities/20")).status).toBe(500);
  },
);

test("a city that fails never answers anything but 500", async () => {
  const service = await start({ behaviour: () => ({ kind: "fails" }) });
  for (let request = 1; request <= 6; request += 1) expect((await get(service, "/cities/10")).status).toBe(500);
  expect(service.counts.failed).toBe(6);
});

test.each([404, 410] as const)("a city that is gone is answered %i", async (status) => {
  const service = await start({ behaviour: () => ({ kind: "gone", status }) });
  expect((await get(service, "/cities/10")).status).toBe(status);
  expect(service.counts.gone).toBe(1);
});

test("malformed details lack the latitude or hold the longitude as text", async () => {
  const service = await start({
    behaviour: (id) => ({ kind: "malformed", how: id === 10 ? "latitude missing" : "longitude as text" }),
  });
  const { latitude: _, ...rest } = berlin;
  expect((await get(service, "/cities/10")).body).toEqual(rest);
  expect((await get(service, "/cities/20")).body).toEqual({ ...berlin, id: 20, longitude: "13.41053" });
  expect(service.counts.malformed).toBe(2);
});

test("above the limit a request is refused with 429 and Retry-After, and served once a place is free", async () => {
  const service = await start({ behaviour: hangsIf(10, 20), parallelLimit: 2, retryAfterSeconds: 3 });
  const hanging = await hang(service, 10);
  expect((await get(service, "/cities/30")).status).toBe(200);

  await hang(service, 20);
  const refused = await get(service, "/cities/30");
  expect([refused.status, refused.headers.get("retry-after"), refused.body]).toEqual([
    429,
    "3",
    { error: "more than 2 requests at once" },
  ]);

  hanging.abort();
  await vi.waitFor(() => expect(service.counts.parallel).toBe(1), { ...PATIENTLY, interval: 2 });
  expect((await get(service, "/cities/30")).status).toBe(200);
  expect(service.counts).toMatchObject({ throttled: 1, hung: 2, peakParallel: 2 });
});

test("a city's third request is served even above the limit", async () => {
  const service = await start({ behaviour: hangsIf(10), parallelLimit: 1 });
  await hang(service, 10);
  const statuses: number[] = [];
  for (let request = 1; request <= 4; request += 1) statuses.push((await get(service, "/cities/20")).status);
  expect(statuses).toEqual([429, 429, 200, 200]);
});

test("a city that heals has healed by its third request, however often it was refused", async () => {
  const service = await start({
    behaviour: (id) => (id === 10 ? { kind: "hangs" } : { kind: "heals", failures: 2 }),
    parallelLimit: 1,
  });
  const hanging = await hang(service, 10);
  expect((await get(service, "/cities/20")).status).toBe(429);
  hanging.abort();
  await vi.waitFor(() => expect(service.counts.parallel).toBe(0), { ...PATIENTLY, interval: 2 });
  expect((await get(service, "/cities/20")).status).toBe(500);
  expect((await get(service, "/cities/20")).status).toBe(200);
});

test("pages are not limited", async () => {
  const service = await start({ behaviour: hangsIf(10), parallelLimit: 1 });
  await hang(service, 10);
  expect((await get(service, "/cities")).status).toBe(200);
});

test("answers and refusals take their time", async () => {
  const service = await start({
    behaviour: hangsIf(10),
    parallelLimit: 1,
    refusalMilliseconds: 40,
    latency: (id, request) => (id === 30 && request === 1 ? 60 : 0),
  });
  const took = async (path: string) => {
    const started = performance.now();
    const { status } = await get(service, path);
    return { status, milliseconds: performance.now() - started };
  };
  const slow = await took("/cities/30");
  expect(slow.status).toBe(200);
  // A timer may fire up to a millisecond early.
  expect(slow.milliseconds).toBeGreaterThanOrEqual(59);
  await hang(service, 10);
  const refused = await took("/cities/20");
  expect(refused.status).toBe(429);
  expect(refused.milliseconds).toBeGreaterThanOrEqual(39);
});

test("by default, a city behaves as the seed says", async () => {
  const cities = (await loadCities())
    .slice(0, 5_000)
    .filter(({ id }) => !["answers", "hangs"].includes(behaviourOf(id).kind));
  const service = await startCitiesService({ cities, latency: () => 0, parallelLimit: cities.length });
  onTestFinished(() => service.close());
  const statuses = { heals: 500, fails: 500, malformed: 200 };
  for (const { id } of cities) {
    const behaviour = behaviourOf(id);
    if (behaviour.kind === "answers" || behaviour.kind === "hangs") continue;
    const status = behaviour.kind === "gone" ? behaviour.status : statuses[behaviour.kind];
    expect((await get(service, `/cities/${id}`)).status, `${id}: ${behaviour.kind}`).toBe(status);
  }
  expect(service.counts).toMatchObject({ failed: 48 + 5, malformed: 4, gone: 3 });
});

test("closing ends the requests that hang, and frees the port", async () => {
  const service = await startCitiesService({ cities: few, behaviour: hangsIf(10) });
  const answer = fetch(`${service.url}/cities/10`);
  const failed = expect(answer).rejects.toThrow("fetch failed");
  await vi.waitFor(() => expect(service.counts.hung).toBe(1), { ...PATIENTLY, interval: 2 });
  await service.close();
  await failed;
  await start({ port: Number(new URL(service.url).port) });
});
