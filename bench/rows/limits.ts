import { SLUICE } from "../harness/names.ts";
import { needsNginx } from "../harness/nginx-service.ts";
import type { Case, Mark, Row, Scale } from "../harness/row.ts";

interface Setting {
  readonly name: string;
  readonly items: number;
  readonly input: Readonly<Record<string, unknown>>;
  /** What the limit, which the run works at, allows a second. */
  readonly perSecond: number;
  readonly needs?: () => string | undefined;
}

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
    name: "set rate",
    items: 2_000,
    perSecond: 20,
    input: { service: "bucket", perSecond: 1_000, burst: 1_000, milliseconds: 50, rateLimit: 20 },
  },
];

/** Of `quick`: so many items are processed in a second or two. */
const QUICK_SHARE = 0.05;

const caseOf = ({ name, items, input, perSecond, needs }: Setting, scale: Scale): Case => {
  const count = scale === "quick" ? Math.round(items * QUICK_SHARE) : items;
  return {
    name: `limits ${name}`,
    rounds: 1,
    sides: [{ name: SLUICE, program: "limited.ts", input: { ...input, items: count }, ...(needs && { needs }) }],
    metrics: [
      { key: "wallSeconds", label: "wall", unit: "s", baseline: count / perSecond },
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
    wall("set rate", SET, { atLeast: 0.98, atMost: 1.02 }),
    refused("set rate", SET, 0),
  ],
  plots: [],
};
