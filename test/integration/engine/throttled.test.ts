import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { PATIENTLY } from "../../helpers/patience.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const BURST = 5;
const REFILL_MILLISECONDS = 40;

/** On a slow machine, the fleet could stay below any rate: then the first requests are the only ones that are refused. */
const REFUSED_AT_LEAST = 10;

/** Refuses as nginx's `limit_req` does, with 503 or 429 and at most a `Retry-After`. */
async function startLimitedService() {
  let tokens = BURST;
  const timer = setInterval(() => {
    tokens = Math.min(BURST, tokens + 1);
  }, REFILL_MILLISECONDS);
  const counts = { served: 0, refused: 0 };
  const server = createServer((_, response) => {
    if (tokens > 0 && counts.refused >= REFUSED_AT_LEAST) {
      tokens--;
      counts.served++;
      return response.end("good");
    }
    const withTime = counts.refused++ % 2 === 0;
    return response.writeHead(withTime ? 503 : 429, withTime ? { "retry-after": "1" } : {}).end("too many");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    clearInterval(timer);
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, counts };
}

test("a service that refuses most requests kills no item, though each item has a single attempt", async () => {
  const { url, counts } = await startLimitedService();
  vi.stubEnv("SERVICE", url);
  onTestFinished(() => void vi.unstubAllEnvs());
  using directory = temporaryDirectory();
  const engine = await startTestEngine("throttled", directory.path);
  try {
    await startRun(engine, "throttled", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    expect(await engine.runs.counts(await engine.runs.get("r1"))).toMatchObject({
      produced: 60,
      succeeded: 60,
      dead: 0,
      retried: 0,
    });
    expect(counts.served).toBe(60);
    // The fleet has found a limit, and the display knows of the refusals.
    const { state } = await engine.limitRow.read();
    expect(state.limit.reason).toBe("throttled");
    expect(state.counted.throttled).toBeGreaterThan(0);
    expect(state.counted.throttled).toBeLessThanOrEqual(counts.refused);
    expect(engine.activity.fleet.throttled).toBe(counts.refused);
  } finally {
    await engine.close();
  }
});
