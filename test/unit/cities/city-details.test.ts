import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { errorMessageCompletion } from "../../../shared/base/late-error-message.ts";
import { PermanentError, ResponseError, Throttled } from "../../../shared/base/task-errors.ts";
import { citiesUrl, fetchCityDetails } from "../../../workflows/cities/city-details.ts";
import startLocal from "../../../workflows/cities.local.ts";
import type { Behaviour } from "../../../workflows/cities-service/behaviour.ts";
import { startCitiesService } from "../../../workflows/cities-service/service.ts";
import { PATIENTLY } from "../../helpers/patience.ts";

const city = {
  id: 10,
  name: "Berlin",
  country: "DE",
  feature: "PPLC",
  population: 3_426_354,
  latitude: 52.52437,
  longitude: 13.41053,
};

afterEach(() => {
  vi.unstubAllEnvs();
});

async function fetchFrom(behaviour: Behaviour, parallelLimit = 1): Promise<unknown> {
  const service = await startCitiesService({
    cities: [city],
    behaviour: () => behaviour,
    latency: () => 0,
    refusalMilliseconds: 0,
    parallelLimit,
  });
  onTestFinished(() => service.close());
  vi.stubEnv("CITIES_URL", service.url);
  return fetchCityDetails(10, new AbortController().signal);
}

/** A service with one fixed response, for responses that the cities service never sends. */
async function fetchAnswer(status: number, headers: Record<string, string>, body: string): Promise<unknown> {
  const server = createServer((_request, response) => response.writeHead(status, headers).end(body));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  vi.stubEnv("CITIES_URL", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return fetchCityDetails(10, new AbortController().signal).catch((error: unknown) => error);
}

test("only fields of the schema are returned", async () => {
  const { feature: _, ...known } = city;
  expect(await fetchFrom({ kind: "answers" })).toEqual(known);
});

test("a busy service gets the next request after the time that it names", async () => {
  const error = await fetchFrom({ kind: "answers" }, 0).catch((thrown: unknown) => thrown);
  await errorMessageCompletion(error);
  expect(error).toBeInstanceOf(Throttled);
  expect(error).toMatchObject({
    afterMilliseconds: 1_000,
    message: expect.stringMatching(
      /^the service answered 429: {"error":"more than 0 requests at once"} \(http:\/\/127[^)]*\/cities\/10\)$/,
    ),
  });
});

test.each([404, 410] as const)("a city that is gone (%i) is a permanent error", async (status) => {
  const fetching = fetchFrom({ kind: "gone", status });
  await expect(fetching).rejects.toBeInstanceOf(PermanentError);
  await expect(fetching).rejects.toThrow(`the service answered ${status}`);
});

test("a failing service is an error, and the item is tried again", async () => {
  const error = await fetchFrom({ kind: "fails" }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ResponseError);
  expect(error).toMatchObject({ message: expect.stringContaining("the service answered 500") });
});

test.each([
  ["latitude missing", "→ at latitude"],
  ["longitude as text", "→ at longitude"],
] as const)("malformed details (%s) are a permanent error that names the field", async (how, field) => {
  const fetching = fetchFrom({ kind: "malformed", how });
  await expect(fetching).rejects.toBeInstanceOf(PermanentError);
  await expect(fetching).rejects.toThrow(field);
});

test("a request for a city that hangs ends when the signal fires", async () => {
  const service = await startCitiesService({ cities: [city], behaviour: () => ({ kind: "hangs" }) });
  onTestFinished(() => service.close());
  vi.stubEnv("CITIES_URL", service.url);
  const abort = new AbortController();
  const fetching = fetchCityDetails(10, abort.signal);
  const reason = new Error("out of time");
  const failed = expect(fetching).rejects.toBe(reason);
  await vi.waitFor(() => expect(service.counts.hung).toBe(1), { ...PATIENTLY, interval: 2 });
  abort.abort(reason);
  await failed;
});

test.each([
  ["no Retry-After", {}, undefined],
  ["a date that has passed", { "retry-after": "Sun, 22 Nov 2015 08:00:00 GMT" }, 0],
  ["nonsense", { "retry-after": "soon" }, undefined],
])("a 429 with %s is a throttle", async (_, headers: Record<string, string>, afterMilliseconds) => {
  const error = await fetchAnswer(429, headers, "busy");
  expect(error).toBeInstanceOf(Throttled);
  expect(error).toMatchObject({ afterMilliseconds });
});

test("an answer that is not JSON is a permanent error", async () => {
  expect(await fetchAnswer(200, {}, "<html>")).toBeInstanceOf(PermanentError);
});

test.each([
  [undefined, "not set"],
  ["", "but is "],
  ["127.0.0.1:80", "127.0.0.1:80"],
  ["ftp://127.0.0.1", "ftp://127.0.0.1"],
])("CITIES_URL = %s is refused, and the message says what to do", (url, named) => {
  const read = () => citiesUrl({ CITIES_URL: url });
  expect(read).toThrow("CITIES_URL must be the address of the cities service");
  expect(read).toThrow(named);
});

test("CITIES_URL may end with a slash", () => {
  expect(citiesUrl({ CITIES_URL: "http://127.0.0.1:80/" })).toBe("http://127.0.0.1:80");
});

test("the companion starts the service and returns its URL", async () => {
  const companion = await startLocal();
  onTestFinished(() => companion.close());
  const url = citiesUrl(companion.environment);
  expect(Object.keys(companion.environment)).toEqual(["CITIES_URL"]);
  expect((await fetch(`${url}/cities?limit=1`)).status).toBe(200);
});
