import { expect, test } from "vitest";
import {
  type Behaviour,
  behaviourOf,
  DEFAULT_SEED,
  LATENCY,
  latencyMilliseconds,
  repaired,
  SHARES,
  UNSETTLED_REQUESTS,
} from "../../../workflows/cities-service/behaviour.ts";
import { loadCities } from "../../../workflows/cities-service/dataset.ts";
import { expectedCounts, expectedOutcome } from "../../helpers/expected-cities.ts";

const ids = (await loadCities()).map(({ id }) => id);

function countKinds(ofIds: readonly number[], seed?: number): Record<Behaviour["kind"], number> {
  const counts = { answers: 0, heals: 0, fails: 0, hangs: 0, malformed: 0, gone: 0 };
  for (const id of ofIds) counts[behaviourOf(id, seed).kind] += 1;
  return counts;
}

test("the first 5,000 cities misbehave as the default seed says", () => {
  expect(countKinds(ids.slice(0, 5_000))).toEqual({
    answers: 4_937,
    heals: 48,
    fails: 5,
    hangs: 3,
    malformed: 4,
    gone: 3,
  });
});

test("a repair fixes failures and hangs, but not the data", () => {
  const kinds = new Set(ids.slice(0, 5_000).map((id) => repaired(behaviourOf(id)).kind));
  expect(kinds).toEqual(new Set(["answers", "heals", "malformed", "gone"]));
});

test("both forms of each kind appear among the first 5,000 cities", () => {
  const seen = new Set<string | number>();
  for (const id of ids.slice(0, 5_000)) {
    const behaviour = behaviourOf(id);
    if (behaviour.kind === "heals") seen.add(behaviour.failures);
    if (behaviour.kind === "malformed") seen.add(behaviour.how);
    if (behaviour.kind === "gone") seen.add(behaviour.status);
  }
  expect(seen).toEqual(new Set([1, 2, "latitude missing", "longitude as text", 404, 410]));
});

test.each([DEFAULT_SEED, 0, 1, 77])("seed %i gives each kind its share of all cities", (seed) => {
  const counts = countKinds(ids, seed);
  for (const [kind, share] of Object.entries(SHARES)) {
    const expected = share * ids.length;
    // Four standard deviations of a Poisson count.
    const tolerance = 4 * Math.sqrt(expected);
    expect(counts[kind as keyof typeof SHARES], kind).toBeGreaterThan(expected - tolerance);
    expect(counts[kind as keyof typeof SHARES], kind).toBeLessThan(expected + tolerance);
  }
});

test("a city's behaviour and latency depend on its id and the seed only", () => {
  const sample = ids.slice(0, 2_000);
  const describe = (seed: number) => sample.map((id) => [behaviourOf(id, seed), latencyMilliseconds(id, 1, seed)]);
  expect(describe(5)).toEqual(describe(5));
  expect(describe(5)).not.toEqual(describe(6));
});

test("a healing city fails no request beyond the unsettled ones", () => {
  for (const id of ids) {
    const behaviour = behaviourOf(id);
    if (behaviour.kind === "heals") expect(behaviour.failures).toBeLessThanOrEqual(UNSETTLED_REQUESTS);
  }
});

test("latency is lognormal with a tail, capped, and differs from request to request", () => {
  const sorted = ids.map((id) => latencyMilliseconds(id, 1)).sort((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.floor(share * sorted.length)];
  expect(quantile(0.5)).toBeCloseTo(LATENCY.medianMilliseconds, -0.5);
  // The 99th percentile of a normal distribution lies 2.326 standard deviations above its mean.
  const p99 = LATENCY.medianMilliseconds * Math.exp(2.326 * LATENCY.sigma);
  expect((quantile(0.99) ?? 0) / p99).toBeCloseTo(1, 1);
  expect(sorted[0]).toBeGreaterThan(0);
  expect(sorted.at(-1)).toBe(LATENCY.maximumMilliseconds);
  expect(latencyMilliseconds(2960, 1)).not.toBe(latencyMilliseconds(2960, 2));
});

test("a city that answers or heals is done; any other is dead with the error of its kind", () => {
  const errors = { fails: "Error", hangs: "TaskTimeoutError", malformed: "PermanentError", gone: "PermanentError" };
  for (const id of ids.slice(0, 5_000)) {
    const { kind } = behaviourOf(id);
    const outcome =
      kind === "answers" || kind === "heals" ? { status: "done" } : { status: "dead", error: errors[kind] };
    expect(expectedOutcome(id)).toEqual(outcome);
  }
});

test("the expected counts are the sums of the expected outcomes", async () => {
  expect(await expectedCounts(5_000)).toEqual({
    done: 4_985,
    dead: 15,
    deadByError: { Error: 5, PermanentError: 7, TaskTimeoutError: 3 },
    heals: 48,
  });
  const all = await expectedCounts(ids.length);
  expect(all.done + all.dead).toBe(135_233);
  expect(await expectedCounts(0)).toEqual({
    done: 0,
    dead: 0,
    deadByError: { Error: 0, PermanentError: 0, TaskTimeoutError: 0 },
    heals: 0,
  });
});
