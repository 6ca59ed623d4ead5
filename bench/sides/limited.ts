import { type BucketOptions, startBucketService } from "../harness/bucket-service.ts";
import { runOnEngine } from "../harness/engine-run.ts";
import { startNginx } from "../harness/nginx-service.ts";
import { side } from "../harness/side.ts";

interface Input {
  readonly items: number;
  readonly service: "bucket" | "nginx";
  /** What the service bears. */
  readonly perSecond: number;
  /** What the bucket bears later. */
  readonly steps?: BucketOptions["steps"];
  readonly burst: number;
  /** How long a request to the bucket takes. */
  readonly milliseconds?: number;
  /** The `rateLimit` of the workflow, a second. Default: none, the fleet finds the limit. */
  readonly rateLimit?: number;
}

/** A workflow on the embedded engine, whose tasks ask a real HTTP service. Fails unless every item succeeds. */
await side<Input>(async ({ items, service, perSecond, steps = [], burst, milliseconds = 0, rateLimit }, directory) => {
  const limits = { perSecond, burst };
  const running = await (service === "nginx"
    ? startNginx(directory, limits)
    : startBucketService({ ...limits, steps, milliseconds }));
  const { wallSeconds } = await runOnEngine({
    workflow: "bench/workflows/limited.ts",
    directory,
    attempts: false,
    variables: {
      SLUICE_BENCH_URL: running.url,
      SLUICE_BENCH_ITEMS: String(items),
      ...(rateLimit !== undefined && { SLUICE_BENCH_RATE: String(rateLimit) }),
    },
  });
  const { served, refused, servedFirst, refusedFirst } = await running.end();
  const percent = (part: number, rest: number) => (100 * part) / Math.max(1, part + rest);
  return {
    wallSeconds,
    refusedPercent: percent(refused, served),
    refusedFirst,
    refusedLaterPercent: percent(refused - refusedFirst, served - servedFirst),
  };
});
