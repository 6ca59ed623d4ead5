import { SLUICE } from "../harness/names.ts";
import { needsNginx } from "../harness/nginx-service.ts";
import type { Case, Mark, Row, Scale } from "../harness/row.ts";

interface Setting {
  readonly name: string;
  readonly items: number;
  readonly input: Readonly<Record<string, unknown>>;
  /** What the limit, which the run works at, allows a second. */
  readonly perSecond: number;
  /** What the limit is later. */
  readonly steps?: Steps;
  readonly needs?: () => string | undefined;
}

type Steps = readonly (readonly [second: number, perSecond: number])[];

const STEPS: Steps = [
  [30, 20],
  [60, 200],
];

const SETTINGS: readonly Setting[] = [
  {
    name: "nginx",
    items: 2_000,
    perSecond: 20,
    input: { service: "nginx", perSecond: 20, burst: 5 },
    needs: needsNginx,
  },
  {
    name: "bucket",
    items: 6_000,
    perSecond: 100,
    input: { service: "bucket", perSecond: 100, burst: 10, milliseconds: 300 },
  },
  {
    name: "steps",
    items: 30 * 100 + 30 * 20 + 30 * 200,
    perSecond: 100,
    steps: STEPS,
    input: { service: "bucket", perSecond: 100, steps: STEPS, burst: 10, milliseconds: 150 },
  },
  {
    name: "set rate",
    items: 2_000,
    perSecond: 20,
    input: { service: "bucket", perSecond: 1_000, burst: 1_000, milliseconds: 50, rateLimit: 20 },
  },
];

/** Of `quick`: so many items are processed in a second or two. */
const QUICK_SHARE = 0.05;

/** How long an oracle needs that knows the limit, in seconds. */
function idealSeconds(count: number, { perSecond, steps = [] }: Setting): number {
  let [left, from, rate]: [number, number, number] = [count, 0, perSecond];
  for (const [second, later] of steps) {
    const borne = rate * (second - from);
    if (borne >= left) break;
    [left, from, rate] = [left - borne, second, later];
  }
  return from + left / rate;
}

const caseOf = (setting: Setting, scale: Scale): Case => {
  const { name, items, input, needs } = setting;
  const count = scale === "quick" ? Math.round(items * QUICK_SHARE) : items;
  return {
    name: `limits ${name}`,
    rounds: 1,
    sides: [{ name: SLUICE, program: "limited.ts", input: { ...input, items: count }, ...(needs && { needs }) }],
    metrics: [
      { key: "wallSeconds", label: "wall", unit: "s", baseline: idealSeconds(count, setting) },
      { key: "refusedPercent", label: "refused", unit: "%" },
      { key: "refusedFirst", label: "refused in the first 10 s", unit: "requests" },
      { key: "refusedLaterPercent", label: "refused later", unit: "%" },
    ],
  };
};

const wall = (name: string, label: string, bounds: Pick<Mark, "atMost" | "atLeast">): Mark => ({
  label: `${label}: wall / ideal`,
  ...bounds,
  measured: (results) => results.ratio(`limits ${name} wall`, SLUICE),
});

const refused = (name: string, label: string, atMost: number): Mark => ({
  label: `${label}: refused`,
  unit: "%",
  atMost,
  measured: (results) => results.median(`limits ${name} refused`, SLUICE),
});

/** A run on an unknown service learns in its first 10 s. So they count on their own. */
const refusedLater = (name: string, label: string, atMost: number): readonly Mark[] => [
  {
    label: `${label}: refused in the first 10 s`,
    unit: "requests",
    atMost: 2 * SLOTS,
    measured: (results) => results.median(`limits ${name} refused in the first 10 s`, SLUICE),
  },
  {
    label: `${label}: refused after the first 10 s`,
    unit: "%",
    atMost,
    measured: (results) => results.median(`limits ${name} refused later`, SLUICE),
  },
];

/** The slots of the fleet: `concurrency` of `bench/workflows/limited.ts`. */
const SLOTS = 50;

const NGINX = "nginx with `limit_req` (20/s, burst 5), 2,000 items, nothing configured";
const BUCKET = "a service that bears 100/s (burst 10), 6,000 items, nothing configured";
const STEPPED =
  "a service that bears 100/s, after 30 s 20/s and after 60 s 200/s (burst 10), 9,600 items, nothing configured";
const SET = "`rateLimit` of 20/s, 2,000 items";

/** Runs against a real HTTP service that refuses what it cannot bear. */
export const limits: Row = {
  name: "limits",
  cases: (scale) => SETTINGS.map((setting) => caseOf(setting, scale)),
  marks: [
    wall("nginx", NGINX, { atMost: 1.15 }),
    refused("nginx", NGINX, 3),
    ...refusedLater("nginx", NGINX, 3),
    // 95 % of what the service bears.
    wall("bucket", BUCKET, { atMost: 1.053 }),
    refused("bucket", BUCKET, 2),
    ...refusedLater("bucket", BUCKET, 2),
    // Shown. Only the simulation has marks for steps.
    wall("steps", STEPPED, {}),
    ...refusedLater("steps", STEPPED, 2),
    wall("set rate", SET, { atLeast: 0.98, atMost: 1.02 }),
    refused("set rate", SET, 0),
  ],
  plots: [],
};
