import { Random } from "./random.ts";

/**
 * The kinds of items. The faults must not change how an item ends:
 *
 * - `good`, `slow`, `flaky` (its first attempts fail) and `waiting` (it asks for more waits than it has attempts) succeed.
 * - The others become dead letters: `overdue` asks for too long a wait, `stuck` never settles, `exits` and `kills` end
 *   their process, `spins` blocks it, and `unsendable` cannot be written as JSON.
 */
export const KINDS = {
  good: "succeeds",
  slow: "succeeds",
  flaky: "succeeds",
  waiting: "succeeds",
  permanent: "dies",
  hopeless: "dies",
  overdue: "dies",
  invalid: "dies",
  unsendable: "dies",
  "stuck, heeds its signal": "dies",
  "stuck, ignores its signal": "dies",
  exits: "dies",
  kills: "dies",
  spins: "dies",
} as const;
export type Kind = keyof typeof KINDS;

/** The probabilities of faults, per request or per delivery. */
export interface Rates {
  readonly throttle: number;
  readonly failure: number;
  readonly timeout: number;
  readonly lost: number;
  readonly duplicate: number;
  readonly reorder: number;
}

/** The clock that jumps: that of the queues and their poller, or that of the functions. */
export type Clock = "services" | "functions";

export type Strike =
  | { readonly kind: "kill producer" | "kill consumer" | "kill isolated" | "kill engine" | "kill engine alone" }
  | { readonly kind: "freeze consumer"; readonly milliseconds: number }
  | { readonly kind: "storm"; readonly service: "SQS" | "DynamoDB"; readonly milliseconds: number }
  | { readonly kind: "clock"; readonly clocks: readonly Clock[]; readonly milliseconds: number }
  | { readonly kind: "cancel" }
  | { readonly kind: "pause"; readonly milliseconds: number };

/** A strike and its moment: after so many lines of a type in the journal, so that it hits the same point of each repetition. */
export interface PlannedStrike {
  readonly after: { readonly type: "read" | "start" | "end"; readonly count: number };
  readonly delayMilliseconds: number;
  readonly strike: Strike;
}

/** Everything that a seed decides. The processes of a run read it from a file. */
export interface Plan {
  readonly seed: number;
  readonly items: readonly Kind[];
  /** The number of items on each page of the source. */
  readonly pageSize: number;
  readonly readMilliseconds: number;
  /** The numbers of the reads of the source that throw. */
  readonly failingReads: readonly number[];
  /** The numbers of the reads of the source that must wait, and for how long. */
  readonly refusedReads: readonly { readonly read: number; readonly milliseconds: number }[];
  /**
   * Whether the producer and its queue have the timeouts of a deployment. This shows how long a killed producer stalls its
   * run. Few seeds do so, because each such kill takes half a minute.
   */
  readonly realTimes: boolean;
  readonly tasksPerEnvironment: number;
  readonly environments: number;
  readonly refill: boolean;
  readonly maxBacklog: number | undefined;
  readonly toleratedFailures: { readonly count: number } | undefined;
  /** How many calls of `onComplete` throw before one succeeds. */
  readonly failingCompletions: number;
  readonly rates: {
    readonly SQS: Rates;
    readonly DynamoDB: Rates;
    /** Default: those of DynamoDB. Only simulated runs have an object store that faults strike. */
    readonly S3?: Rates;
  };
  /** When the object store hardly works, in milliseconds after the beginning. Only simulated runs have such times. */
  readonly objectStorms?: readonly { readonly at: number; readonly milliseconds: number }[];
  readonly strikes: readonly PlannedStrike[];
  /** The positions of the items with which the partitions of the source begin. Absent: the source has no partitions. */
  readonly partitions?: readonly number[];
  /** In each process, the first reads of this partition fail for good. The run fails, and a person resumes it. */
  readonly brokenPartition?: { readonly place: number; readonly reads: number };
  /** How many producers read the partitions at the same time. Default: 1. */
  readonly producers?: number;
  /** Whether the run keeps results. Default: no. */
  readonly results?: boolean;
  /** The `rateLimit` of the workflow. Default: none. */
  readonly rateLimit?: { readonly perSecond: number; readonly burst: number };
}

export const WORKFLOW = "chaos";
export const RUN = "run";

export const TASK_TIMEOUT_MILLISECONDS = 1_500;
export const ATTEMPTS = 5;
/** The failed attempts of a flaky item: so few that even with kills it does not run out of attempts. */
export const FLAKY_FAILURES = 2;

/** The waits of a waiting item: more than its attempts. */
export const WAITS = ATTEMPTS + 1;

export const CALM: Rates = { throttle: 0, failure: 0, timeout: 0, lost: 0, duplicate: 0, reorder: 0 };

/** The faults of a service that hardly works. */
export const STORM: Rates = { throttle: 0.3, failure: 0.2, timeout: 0.03, lost: 0.1, duplicate: 0.1, reorder: 0.5 };

const MINUTE_MILLISECONDS = 60_000;

const SETBACK: PlannedStrike = {
  after: { type: "end", count: 10 },
  delayMilliseconds: 0,
  strike: { kind: "clock", clocks: ["functions"], milliseconds: -MINUTE_MILLISECONDS },
};

export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const environments = random.integer(2, 3);
  // With many slots, a consumer sends several requests for messages at once, and one batch does not fill the slots.
  const tasksPerEnvironment = (seed % 6 === 0 ? 8 : 1) * random.integer(1, 4);
  const concurrency = environments * tasksPerEnvironment;
  const items = itemsOf(random);
  // The consumers are busy until the end of their invocations, and a clock is set back during this time.
  const long = random.chance(0.06);
  if (long) items.fill("slow", 0, 40 * concurrency);
  const pageSize = random.integer(11, 60);
  const bad = items.filter((kind) => KINDS[kind] === "dies").length;
  const plan = {
    seed,
    items,
    pageSize,
    readMilliseconds: random.integer(20, 200),
    failingReads: random.chance(0.3) ? [random.integer(0, 4)] : [],
    tasksPerEnvironment,
    environments,
    refill: random.chance(0.8),
    // A few pages only: a waiting producer sleeps for seconds, and the consumers of such short runs would wait too.
    maxBacklog: random.chance(0.2) ? Math.max(2 * concurrency, random.integer(2, 4) * pageSize) : undefined,
    toleratedFailures: random.chance(0.15) ? { count: random.integer(0, bad + 2) } : undefined,
    failingCompletions: random.chance(0.2) ? random.integer(1, 2) : 0,
    rates: { SQS: ratesOf(random), DynamoDB: { ...ratesOf(random), duplicate: 0, reorder: 0 } },
    strikes: [...strikesOf(random, items.length, pageSize), ...(long ? [SETBACK] : [])],
  };
  const refusedReads = random.chance(0.2) ? [refusal(random)] : [];
  if (seed % 25 === 13) return inRealTime(plan, random);
  return { ...plan, refusedReads, realTimes: false, ...partitionsOf(seed, items.length) };
}

/** The partitions of every third source. Some of them are empty, and some have one item. */
function partitionsOf(seed: number, end: number): Pick<Plan, "partitions" | "producers" | "brokenPartition"> {
  if (seed % 3 !== 0) return {};
  const random = new Random(seed + 4_000_000);
  const starts = Array.from({ length: random.integer(0, 7) }, () =>
    random.chance(0.2) ? random.pick([0, 1, end - 1, end]) : random.integer(0, end),
  );
  const partitions = [0, ...starts.sort((a, b) => a - b)];
  const broken = random.chance(0.3)
    ? { place: random.integer(0, starts.length), reads: random.integer(1, 2) }
    : undefined;
  return { partitions, producers: random.integer(1, 4), ...(broken && { brokenPartition: broken }) };
}

const refusal = (random: Random) => ({ read: random.integer(0, 3), milliseconds: random.integer(1_000, 8_000) });

/** A producer dies within a page, and a read must wait. No fault lets two producers work at once. */
function inRealTime(plan: Omit<Plan, "refusedReads" | "realTimes">, random: Random): Plan {
  const { SQS, DynamoDB } = plan.rates;
  const kill: PlannedStrike = {
    after: { type: "read", count: random.integer(2, 3) },
    delayMilliseconds: random.integer(0, plan.readMilliseconds),
    strike: { kind: "kill producer" },
  };
  return {
    ...plan,
    pageSize: Math.min(plan.pageSize, 12),
    maxBacklog: undefined,
    refusedReads: [refusal(random)],
    realTimes: true,
    rates: { SQS: { ...SQS, duplicate: 0 }, DynamoDB },
    strikes: [
      ...plan.strikes.filter(({ strike: { kind } }) => kind !== "clock" && kind !== "storm" && kind !== "pause"),
      kill,
    ],
  };
}

function itemsOf(random: Random): Kind[] {
  const items: Kind[] = Array.from({ length: random.integer(60, 300) }, () => "good");
  const put = (kind: Kind, count: number) => {
    for (let each = 0; each < count; each++) items[random.integer(0, items.length - 1)] = kind;
  };
  put("slow", random.integer(0, 6));
  put("flaky", random.integer(0, 10));
  put("waiting", random.integer(0, 4));
  put("permanent", random.integer(0, 5));
  put("hopeless", random.integer(0, 2));
  put("invalid", random.integer(0, 4));
  put("unsendable", random.integer(0, 2));
  put("stuck, heeds its signal", random.integer(0, 1));
  put("stuck, ignores its signal", random.integer(0, 1));
  put("exits", random.integer(0, 1));
  put("kills", random.integer(0, 1));
  put("overdue", random.integer(0, 2));
  // A spinning task holds its environment until the function's timeout.
  put("spins", random.chance(0.04) ? 1 : 0);
  return items;
}

function ratesOf(random: Random): Rates {
  const rate = (most: number) => (random.chance(0.5) ? random.next() * most : 0);
  return {
    throttle: rate(0.08),
    failure: rate(0.06),
    timeout: rate(0.01),
    lost: rate(0.05),
    duplicate: rate(0.06),
    reorder: rate(0.8),
  };
}

function strikesOf(random: Random, items: number, pageSize: number): PlannedStrike[] {
  const strikes: PlannedStrike[] = [];
  const plan = (type: "read" | "start" | "end", strike: Strike) => {
    const most = type === "read" ? Math.ceil(items / pageSize) : Math.floor(items * 0.9);
    const after = { type, count: random.integer(1, most) };
    strikes.push({ after, delayMilliseconds: random.integer(0, 250), strike });
  };
  const times = (count: number, add: () => void) => {
    for (let time = 0; time < count; time++) add();
  };
  times(random.integer(0, 2), () => plan("read", { kind: "kill producer" }));
  times(random.integer(0, 2), () => plan("start", { kind: "kill consumer" }));
  times(random.chance(0.2) ? 1 : 0, () => plan("end", { kind: "kill isolated" }));
  times(random.chance(0.5) ? 1 : 0, () => plan("end", { kind: random.pick(["kill engine", "kill engine alone"]) }));
  times(random.chance(0.15) ? 1 : 0, () => plan("read", { kind: "kill engine" }));
  times(random.chance(0.4) ? 1 : 0, () =>
    plan(random.pick(["read", "end"]), {
      kind: "storm",
      service: random.pick(["SQS", "DynamoDB"]),
      milliseconds: random.integer(300, 2_500),
    }),
  );
  times(random.chance(0.35) ? 1 : 0, () => {
    const clocks = random.pick<readonly Clock[]>([["services"], ["functions"], ["services", "functions"]]);
    // A queue's clock that is set back hides every hidden message for another minute. This is rare, because it takes a minute.
    const back = random.chance(clocks.includes("services") ? 0.1 : 0.4);
    const milliseconds = back ? -MINUTE_MILLISECONDS : MINUTE_MILLISECONDS;
    plan(random.pick(["read", "end"]), { kind: "clock", clocks, milliseconds });
  });
  times(random.chance(0.15) ? 1 : 0, () => plan("end", { kind: "cancel" }));
  times(random.chance(0.15) ? 1 : 0, () => plan("end", { kind: "pause", milliseconds: random.integer(200, 7_000) }));
  return strikes;
}

/**
 * A plan with a limit of the rate. Consumers are also frozen, for longer than their leases sometimes, and continue afterwards.
 * The clock of the functions is never set, because the limit holds for clocks within a second of each other.
 */
export function withLimit(plan: Plan): Plan {
  const random = new Random(plan.seed + 4_000_000);
  const starts = Math.floor(plan.items.length * 0.9);
  const freezes = Array.from({ length: random.integer(1, 3) }, (): PlannedStrike => {
    const strike: Strike = { kind: "freeze consumer", milliseconds: random.integer(300, 8_000) };
    return { after: { type: "start", count: random.integer(1, starts) }, delayMilliseconds: 0, strike };
  });
  const isOfFunctions = ({ strike }: PlannedStrike) => strike.kind === "clock" && strike.clocks.includes("functions");
  return {
    ...plan,
    rateLimit: { perSecond: random.integer(8, 40), burst: random.integer(1, 10) },
    strikes: [...plan.strikes.filter((each) => !isOfFunctions(each)), ...freezes],
  };
}
