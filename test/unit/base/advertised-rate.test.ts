import { expect, test } from "vitest";
import { ADVERTISED_CHANNEL, advertisedPerSecond } from "../../../shared/base/advertised-rate.ts";

const NOW = Date.parse("2026-11-27T12:00:00Z");
const rate = (headers: Record<string, string>) => advertisedPerSecond(new Headers(headers), NOW);

test.each<[string, Record<string, string>, number | undefined]>([
  ["the RateLimit header of the IETF drafts", { ratelimit: '"default";r=50;t=10' }, 5],
  ["the lowest of several policies", { ratelimit: '"second";r=10;t=1, "minute";r=30;t=30' }, 1],
  ["its older form", { ratelimit: "limit=100, remaining=20, reset=4" }, 5],
  ["RateLimit-Remaining and RateLimit-Reset", { "ratelimit-remaining": "8", "ratelimit-reset": "2" }, 4],
  [
    "X-RateLimit-…, with a time since 1970",
    { "x-ratelimit-remaining": "30", "x-ratelimit-reset": `${NOW / 1_000 + 15}` },
    2,
  ],
  ["a quota for a day: what is left may be used within a minute", { ratelimit: '"day";r=6000;t=80000' }, 100],
  ["nothing left: one request after the reset", { ratelimit: '"default";r=0;t=20' }, 0.05],
  ["no reset", { "x-ratelimit-remaining": "30" }, undefined],
  ["a reset in the past", { "x-ratelimit-remaining": "30", "x-ratelimit-reset": "0" }, undefined],
  ["unreadable numbers", { ratelimit: '"default";r=many;t=soon' }, undefined],
  ["no header", {}, undefined],
])("%s", (_, headers, perSecond) => expect(rate(headers)).toBe(perSecond));

test("the channel has its documented name", () => expect(ADVERTISED_CHANNEL).toBe("sluice.advertised"));
