import { expect, test } from "vitest";
import { check } from "./checker.ts";
import type { Evidence, Row } from "./evidence.ts";
import type { Line } from "./journal.ts";
import { CALM, type Plan } from "./plan.ts";

const PLAN: Plan = {
  seed: 1,
  items: ["good", "permanent"],
  pageSize: 2,
  readMilliseconds: 0,
  failingReads: [],
  refusedReads: [],
  realTimes: true,
  tasksPerEnvironment: 1,
  environments: 2,
  refill: true,
  maxBacklog: undefined,
  toleratedFailures: undefined,
  failingCompletions: 0,
  rates: { SQS: CALM, DynamoDB: CALM },
  strikes: [],
};
const SUMMARY = { status: "completed", produced: 2, succeeded: 1, dead: 1, cancelled: 0 };
const RUN_ROW: Row = {
  pk: "run#run",
  sk: "run",
  status: "completed",
  pages: 1,
  items: 2,
  totals: { dead: 1, cancelled: 0, deadByReason: { permanent: 1 } },
};
const PAGE: Row = {
  pk: "run#run#page#0",
  sk: "page",
  size: 2,
  done: new Set([0]),
  dying: new Set([1]),
  "dead: permanent": new Set([1]),
};
const deadLetterOf = (index: number) => JSON.stringify({ run: "run", page: 0, index, dead: { reason: "permanent" } });

const start = (item: number, milliseconds: number, attempt = 1): Extract<Line, { type: "start" }> => {
  const key = `${item} at ${milliseconds}`;
  return { type: "start", item, id: `run/0/${item}`, key, attempt, pid: 1, milliseconds };
};
const end = ({ key }: { key: string }, milliseconds: number, ok: boolean): Line => {
  return { type: "end", key, ok, pid: 1, milliseconds };
};
const [good, bad] = [start(0, 10), start(1, 11)];
const COMPLETE: Line = { type: "complete", summary: SUMMARY, pid: 2, milliseconds: 30 };

/** The evidence of a run with one item that is done and one that is dead. */
const SOUND: Evidence = {
  plan: PLAN,
  lines: [good, bad, end(good, 20, true), end(bad, 20, false), COMPLETE],
  lastSeen: new Map([[1, 40]]),
  rows: [RUN_ROW, PAGE],
  deadLetters: [deadLetterOf(1)],
  controlDeadLetters: [],
  history: [
    { status: "running", completedAt: undefined },
    { status: "completed", completedAt: "then" },
  ],
  pauses: [],
  cancelled: false,
  producerKills: [],
};

const read = (milliseconds: number): Line => ({ type: "read", from: 0, pid: 2, milliseconds });
const REFUSED: Line = { type: "refused", forMilliseconds: 5_000, pid: 2, milliseconds: 1_000 };

test("an isolated attempt may count as a failed one, because its consumer may have been killed before it was recorded", () => {
  const success = { ...start(0, 5), pid: 7 };
  const isolated: Line = { type: "process", role: "isolated", pid: 7, milliseconds: 4 };
  const again = [
    success,
    { ...end(success, 6, true), pid: 7 },
    start(0, 7, 2),
    end(start(0, 7, 2), 8, true),
    ...SOUND.lines,
  ];
  expect(check({ ...SOUND, lines: [isolated, ...again] })).toEqual([]);
  expect(check({ ...SOUND, lines: again })).toEqual(["item run/0/0 was tried a 2th time after 0 failures"]);
});

test("a run in which all is well has no violation, whatever came twice", () => {
  expect(check(SOUND)).toEqual([]);
  expect(
    check({ ...SOUND, deadLetters: [deadLetterOf(1), deadLetterOf(1)], lines: [...SOUND.lines, COMPLETE] }),
  ).toEqual([]);
});

test.each<[violation: string, Partial<Evidence>]>([
  ["item run/0/0 is in none of done, dead and cancelled", { rows: [RUN_ROW, { ...PAGE, done: undefined }] }],
  ["item run/0/0 is in done and dead", { rows: [RUN_ROW, { ...PAGE, "dead: permanent": new Set([0, 1]) }] }],
  ["item run/0/0 is done, but its task never succeeded", { lines: [good, bad, end(good, 20, false), COMPLETE] }],
  ["item run/0/0 (good) is dead", { rows: [RUN_ROW, { ...PAGE, done: undefined, "dead: exhausted": new Set([0]) }] }],
  [
    "item run/0/1 (permanent) is done",
    { rows: [RUN_ROW, { ...PAGE, done: new Set([0, 1]), dying: undefined, "dead: permanent": undefined }] },
  ],
  ["item run/0/1 is dead, but has no dead letter", { deadLetters: [] }],
  ["item run/0/0 is not dead, but has a dead letter", { deadLetters: [deadLetterOf(0), deadLetterOf(1)] }],
  ["the dead letter of run/0/1 gives no reason", { deadLetters: ['{"run":"run","page":0,"index":1}'] }],
  ["the run tells 2 dead, there are 1", { rows: [{ ...RUN_ROW, totals: { dead: 2, cancelled: 0 } }, PAGE] }],
  ["the run tells 3 items, there are 2", { rows: [{ ...RUN_ROW, items: 3 }, PAGE] }],
  ["the run counts 2 pages, the ledger has 1", { rows: [{ ...RUN_ROW, pages: 2 }, PAGE] }],
  ["the run is running in the end", { rows: [{ ...RUN_ROW, status: "running" }, PAGE] }],
  ["the run is cancelled, and nobody did it", { rows: [{ ...RUN_ROW, status: "cancelled" }, PAGE] }],
  ["the run is completed, but 1 items died", { plan: { ...PLAN, toleratedFailures: { count: 0 } } }],
  ["the run has failed (undefined), but 1 items died", { rows: [{ ...RUN_ROW, status: "failed" }, PAGE] }],
  ["onComplete was never called", { lines: SOUND.lines.slice(0, -1) }],
  [
    "onComplete was told 2 different ends",
    { lines: [...SOUND.lines, { ...COMPLETE, summary: { ...SUMMARY, succeeded: 2 } }] },
  ],
  ["the run ended 2 times", { history: [...SOUND.history, { status: "completed", completedAt: "later" }] }],
  [
    "the run had ended, and became running",
    { history: [...SOUND.history, { status: "running", completedAt: "then" }] },
  ],
  ["the ledger has no row of the run", { rows: [PAGE] }],
  ["3 tasks ran at once, 2 may", { lines: [...SOUND.lines, start(0, 15)] }],
  // Of four starts, the last three come in a window that allows 1 × (0.4 + 1) + 1.
  [
    "3 tasks began in 0.40 s, with 1 a second and a burst of 1",
    {
      plan: { ...PLAN, rateLimit: { perSecond: 1, burst: 1 } },
      lines: [start(0, -9_000), ...SOUND.lines.slice(2), start(0, 10), start(1, 11), start(0, 410)],
    },
  ],
  [
    "item run/0/0 was tried a 2th time after 0 failures",
    { lines: [start(0, 5), { ...end(start(0, 5), 6, false), wait: true } as Line, start(0, 7, 2), ...SOUND.lines] },
  ],
  [
    "item run/0/1 (permanent) died of its waits",
    { rows: [RUN_ROW, { ...PAGE, "dead: permanent": undefined, "dead: waited too long": new Set([1]) }] },
  ],
  ["item run/0/0 was tried a 6th time", { lines: [...SOUND.lines, start(0, 35, 6)] }],
  [
    "1 tasks began while the run was paused",
    { lines: [...SOUND.lines, start(0, 9_000)], pauses: [{ from: 1, to: 9_500 }] },
  ],
  [
    "after a producer was killed, the source was not read for 60.1 s",
    { lines: [read(1), ...SOUND.lines, read(60_110)], producerKills: [10] },
  ],
  [
    "the source was read 1 times though it was told to wait",
    { lines: [read(900), ...SOUND.lines, REFUSED, read(5_900), read(6_100)] },
  ],
])("%s", (violation, change) => {
  const violations = check({ ...SOUND, ...change });
  expect(
    violations.some((each) => each.startsWith(violation)),
    violations.join("\n"),
  ).toBe(true);
});

test("a producer that is killed is followed in time, or the source was read to its end", () => {
  const lines = [read(1), read(59_000), ...SOUND.lines, REFUSED, read(6_000)];
  expect(check({ ...SOUND, lines, producerKills: [0, 30, 59_500] })).toEqual([]);
});

test("a producer that is killed just after its source was told to wait cannot tell the next one", () => {
  const lines = [read(900), ...SOUND.lines, REFUSED, read(2_500)];
  const [told] = check({ ...SOUND, lines, lastSeen: new Map([[REFUSED.pid, REFUSED.milliseconds + 1_000]]) });
  expect(told).toBe("the source was read 1 times though it was told to wait");
  expect(check({ ...SOUND, lines, lastSeen: new Map([[REFUSED.pid, REFUSED.milliseconds + 999]]) })).toEqual([]);
});

test("what takes its time is no violation where two producers may work at once", () => {
  const lines = [...SOUND.lines, REFUSED, read(2_000), read(70_000)];
  const plan = { ...PLAN, realTimes: false };
  expect(check({ ...SOUND, plan, lines, producerKills: [3_000] })).toEqual([]);
});

test("a process that is killed ends its tasks", () => {
  const lines = [start(0, 5), start(1, 6), ...SOUND.lines.map((line) => ({ ...line, pid: 3 }))];
  expect(check({ ...SOUND, lines, lastSeen: new Map([[1, 9]]) })).toEqual([]);
});

test("an attempt more is no violation if a process was killed after it had received its item, and before the task began", () => {
  const wait = { ...end(start(0, 5), 6, false), wait: true } as Line;
  const lines: Line[] = [start(0, 5), wait, start(0, 7, 2), ...SOUND.lines];
  const killed: Line = { type: "process", role: "isolated", pid: 9, milliseconds: 6 };
  // An isolated process that worked on another item.
  const working: Line[] = [
    { type: "process", role: "isolated", pid: 8, milliseconds: 3 },
    { ...start(1, 4), pid: 8 },
  ];
  const excess = "item run/0/0 was tried a 2th time after 0 failures";
  expect(check({ ...SOUND, lines: [killed, ...lines] })).not.toContain(excess);
  expect(check({ ...SOUND, lines: [...working, ...lines] })).toContain(excess);
  expect(
    check({
      ...SOUND,
      lines: [killed, start(1, 5), { ...end(start(1, 5), 6, false), wait: true } as Line, start(1, 7, 2), ...lines],
    }),
  ).toContain(excess);
});
