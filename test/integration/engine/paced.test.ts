import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { PATIENTLY } from "../../helpers/patience.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const PER_SECOND = 10;
const BURST = 2;

test("in any window, no more attempts start than rateLimit allows, over all environments", async () => {
  const starts: number[] = [];
  const server = createServer(({ url = "" }, response) => {
    starts.push(Number(url.slice(1)));
    response.end("good");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  vi.stubEnv("SERVICE", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  using directory = temporaryDirectory();
  const engine = await startTestEngine("paced", directory.path);
  try {
    await startRun(engine, "paced", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", {
      ...PATIENTLY,
      interval: 50,
    });
    const counts = await engine.runs.counts(await engine.runs.get("r1"));
    expect(counts).toMatchObject({ produced: 60, succeeded: 60, dead: 0, retried: 0 });
    starts.sort((a, b) => a - b);
    expect(starts).toHaveLength(60);
    let excess = Number.NEGATIVE_INFINITY;
    for (const [first, from] of starts.entries()) {
      for (const [more, until] of starts.slice(first).entries()) {
        excess = Math.max(excess, more + 1 - (PER_SECOND * ((until - from) / 1_000 + 1) + BURST));
      }
    }
    expect(excess).toBeLessThanOrEqual(0);
  } finally {
    await engine.close();
  }
});
