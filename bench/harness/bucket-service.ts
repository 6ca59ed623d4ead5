/**
 * An HTTP service that bears a rate, in a process of its own: `startBucketService` starts it. A token bucket decides, before the
 * work of a request begins. Requests without a token get status 429 at once, and nothing that says how long to wait.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { type LimitedService, type Response, type ServedCounts, servedCounts } from "./limited-service.ts";

export interface BucketOptions {
  readonly perSecond: number;
  /** Later rates: from so many seconds after the first request on. Default: the rate stays. */
  readonly steps?: readonly (readonly [second: number, perSecond: number])[];
  readonly burst: number;
  /** How long a request takes that is not refused. */
  readonly milliseconds: number;
}

const isMain = import.meta.filename === process.argv[1];

/** Starts the service on the loopback interface and a free port. */
export async function startBucketService(options: BucketOptions): Promise<LimitedService> {
  const child = fork(import.meta.filename, [JSON.stringify(options)], { execArgv: ["--no-warnings"] });
  const [port] = (await once(child, "message")) as [number];
  return { url: `http://127.0.0.1:${port}`, end: () => endOf(child) };
}

async function endOf(child: ChildProcess): Promise<ServedCounts> {
  const counts = once(child, "message") as Promise<[ServedCounts]>;
  child.send("end");
  const [served] = await counts;
  return served;
}

async function serve({ perSecond, steps = [], burst, milliseconds }: BucketOptions): Promise<void> {
  const responses: Response[] = [];
  let tokens = burst;
  let at = performance.now();
  const server = createServer(async (_, response) => {
    const now = performance.now();
    const second = now / 1_000 - (responses[0]?.at ?? now / 1_000);
    const [, rate] = steps.findLast(([from]) => second >= from) ?? [0, perSecond];
    tokens = Math.min(burst, tokens + ((now - at) * rate) / 1_000);
    at = now;
    const isRefused = tokens < 1;
    responses.push({ at: now / 1_000, isRefused });
    if (isRefused) {
      response.writeHead(429).end();
      return;
    }
    tokens--;
    await setTimeout(milliseconds);
    response.end("served");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  process.send?.((server.address() as AddressInfo).port);
  // The service does not outlive the process that started it.
  process.once("disconnect", () => process.exit());
  await once(process, "message");
  process.send?.(servedCounts(responses), () => process.exit());
}

if (isMain) await serve(JSON.parse(process.argv[2] ?? "{}"));
