import type { Evidence, Row } from "./evidence.ts";
import type { Line } from "./journal.ts";
import { ATTEMPTS, KINDS, RUN, TASK_TIMEOUT_MILLISECONDS } from "./plan.ts";
import { checkResults } from "./result-checker.ts";

/** Consumers notice a pause within three seconds, and still begin the items that they have received before. */
const PAUSE_NOTICED_MILLISECONDS = 4_000 + TASK_TIMEOUT_MILLISECONDS;

/** Another producer follows a killed one within 30 s. It has to start, and its first requests may fail. */
const LONGEST_STALL_MILLISECONDS = 60_000;

/** A refusal is written into the journal before it is thrown. */
const REFUSAL_NOTED_MILLISECONDS = 50;

/** The longest time until a producer that was told to wait has written this into the ledger, if it lives. */
const WAIT_RECORDED_MILLISECONDS = 1_000;

/** What the ledger says of an item. */
interface Placed {
  readonly id: string;
  readonly item: number;
  readonly place: "done" | "dead" | "cancelled";
  readonly reasons: readonly string[];
}

/**
 * Describes everything that is wrong with a run. The list is empty if nothing is wrong. The checker shares no code with the
 * ledger; it compares the ledger with the tasks' journal.
 */
export function check(evidence: Evidence): readonly string[] {
  const { rows, history } = evidence;
  const run = rows.find(({ pk, sk }) => pk === `run#${RUN}` && sk === "run");
  if (run === undefined) return ["the ledger has no row of the run"];
  const violations: string[] = [];
  const items = placeItems(evidence, run, rows, violations);
  checkPlaces(evidence, items, violations);
  checkDeadLetters(evidence, items, violations);
  checkCounts(evidence, run, items, violations);
  checkStatus(evidence, run, items, violations);
  checkCompletion(evidence, run, items, violations);
  checkConcurrency(evidence, violations);
  checkRate(evidence, violations);
  checkAttempts(evidence, violations);
  if (evidence.objects !== undefined) {
    const done = items.filter(({ place }) => place === "done").map(({ id }) => id);
    checkResults(run, done, evidence.lines, evidence.objects, violations);
  }
  if (evidence.plan.realTimes) checkProducers(evidence, violations);
  const ends = new Set(history.flatMap(({ completedAt }) => completedAt ?? []));
  if (ends.size > 1) violations.push(`the run ended ${ends.size} times: ${[...ends].join(", ")}`);
  return violations;
}

/** The place of a page: `run#<run>#page#<page>`, or `run#<run>#partition#<partition>#page#<page>`. */
function placeOfPage({ pk }: Row): { readonly partition: number; readonly page: number } {
  const parts = String(pk).split("#");
  return { partition: parts[2] === "partition" ? Number(parts[3]) : 0, page: Number(parts.at(-1)) };
}

/** Where each item of each page is. */
function placeItems({ plan }: Evidence, run: Row, rows: readonly Row[], violations: string[]): readonly Placed[] {
  // A page without items was closed before it was sent, when the run was stopped.
  const pages = rows.filter(({ sk, size }) => sk === "page" && Number(size) > 0);
  if (pages.length !== run.pages) violations.push(`the run counts ${run.pages} pages, the ledger has ${pages.length}`);
  if (plan.partitions !== undefined && pages.some((row) => placeOfPage(row).partition === 0))
    violations.push("the source has partitions, and the run has a page outside them");
  // The pages of a partition hold its items in their order.
  const positions = new Map<number, number>();
  return pages
    .map((row) => ({ row, ...placeOfPage(row) }))
    .sort((a, b) => a.partition - b.partition || a.page - b.page)
    .flatMap(({ row, partition, page }) => {
      const first = positions.get(partition) ?? plan.partitions?.[partition - 1] ?? 0;
      positions.set(partition, first + Number(row.size));
      const dying = numbers(row.dying);
      const cancelled = numbers(row.cancelled);
      // A success after the attempt was given up does not count.
      const done = numbers(row.done).filter((index) => !dying.includes(index) && !cancelled.includes(index));
      const deaths = Object.entries(row).filter(([attribute]) => attribute.startsWith("dead: "));
      return Array.from({ length: Number(row.size) }, (_, index): Placed[] => {
        const id = idOf({ run: RUN, partition, page, index });
        const reasons = deaths.filter(([, set]) => numbers(set).includes(index)).map(([name]) => name.slice(6));
        const places = (["done", "dead", "cancelled"] as const).filter((place) =>
          place === "dead" ? reasons.length > 0 : (place === "done" ? done : cancelled).includes(index),
        );
        const [place] = places;
        if (place !== undefined && places.length === 1) return [{ id, item: first + index, place, reasons }];
        violations.push(
          `item ${id} is in ${places.length === 0 ? "none of done, dead and cancelled" : places.join(" and ")}`,
        );
        return [];
      }).flat();
    });
}

interface Named {
  readonly run: string;
  readonly partition?: number;
  readonly page: number;
  readonly index: number;
}

/** The id of an item. */
const idOf = ({ run, partition = 0, page, index }: Named): string =>
  [run, ...(partition > 0 ? [`p${partition}`] : []), page, index].join("/");

const numbers = (set: unknown): readonly number[] => (set instanceof Set ? [...set].map(Number) : []);

/** Checks that each item is where its kind and the journal say. */
function checkPlaces({ plan, lines }: Evidence, items: readonly Placed[], violations: string[]): void {
  const succeeded = new Set(lines.flatMap((line) => (line.type === "end" && line.ok ? [line.key] : [])));
  const successes = new Set<string>();
  const positions = new Map(items.map(({ id, item }) => [id, item]));
  for (const line of lines) {
    if (line.type !== "start") continue;
    if (succeeded.has(line.key)) successes.add(line.id);
    const expected = positions.get(line.id);
    if (expected !== undefined && expected !== line.item)
      violations.push(`${line.id} ran item ${line.item}, not ${expected}`);
  }
  if (new Set(positions.values()).size < items.length)
    violations.push("two items of the run are the same of the source");
  for (const { id, item, place, reasons } of items) {
    const kind = plan.items[item];
    if (kind === undefined) violations.push(`item ${id} is none of the source's`);
    else if (place === "done" && KINDS[kind] === "dies") violations.push(`item ${id} (${kind}) is done`);
    else if (place === "dead" && KINDS[kind] === "succeeds")
      violations.push(`item ${id} (${kind}) is dead: ${reasons}`);
    else if (place === "dead" && kind !== "overdue" && reasons.includes("waited too long"))
      violations.push(`item ${id} (${kind}) died of its waits`);
    if (place === "done" && !successes.has(id)) violations.push(`item ${id} is done, but its task never succeeded`);
  }
}

/** Checks that all dead items are in the dead-letter queue, and no others. */
function checkDeadLetters({ deadLetters }: Evidence, items: readonly Placed[], violations: string[]): void {
  const dead = new Map(items.filter(({ place }) => place === "dead").map((item) => [item.id, item]));
  const lying = new Set<string>();
  for (const body of deadLetters) {
    const { dead: death, ...message } = JSON.parse(body);
    const id = idOf(message);
    lying.add(id);
    if (death === undefined) violations.push(`the dead letter of ${id} gives no reason`);
    else if (!dead.has(id)) violations.push(`item ${id} is not dead, but has a dead letter: ${death.reason}`);
  }
  for (const id of dead.keys()) if (!lying.has(id)) violations.push(`item ${id} is dead, but has no dead letter`);
}

const countOf = (items: readonly Placed[], place: Placed["place"]): number =>
  items.filter((item) => item.place === place).length;

/** Checks that the run's counts are those of its items. */
function checkCounts({ plan }: Evidence, run: Row, items: readonly Placed[], violations: string[]): void {
  const totals = (run.totals ?? {}) as { dead?: number; cancelled?: number; deadByReason?: Record<string, number> };
  const compare = (name: string, told: unknown, counted: number) => {
    if (told !== counted) violations.push(`the run tells ${told} ${name}, there are ${counted}`);
  };
  compare("items", run.items, items.length);
  compare("dead", totals.dead, countOf(items, "dead"));
  compare("cancelled", totals.cancelled, countOf(items, "cancelled"));
  const byReason = totals.deadByReason ?? {};
  for (const reason of new Set([...Object.keys(byReason), ...items.flatMap(({ reasons }) => reasons)])) {
    // If an item was dead-lettered twice at once for two reasons, either reason is right.
    const atMost = items.filter(({ reasons }) => reasons.includes(reason)).length;
    const atLeast = items.filter(({ reasons }) => reasons.length === 1 && reasons[0] === reason).length;
    const told = byReason[reason] ?? 0;
    if (told < atLeast || told > atMost)
      violations.push(`the run tells ${told} dead of "${reason}", there are ${atMost}`);
  }
  if (run.status === "completed") compare("items of the source", run.items, plan.items.length);
}

/** Checks that the run ended as it should. */
function checkStatus({ plan, history, cancelled }: Evidence, run: Row, items: readonly Placed[], violations: string[]) {
  const dead = countOf(items, "dead");
  const { toleratedFailures } = plan;
  const beyond = toleratedFailures !== undefined && dead > toleratedFailures.count;
  switch (run.status) {
    case "completed":
      if (countOf(items, "cancelled") > 0) violations.push("the run is completed, but items were cancelled");
      if (beyond) violations.push(`the run is completed, but ${dead} items died`);
      break;
    case "cancelled":
      if (!cancelled) violations.push("the run is cancelled, and nobody did it");
      break;
    case "failed":
      if (!beyond) violations.push(`the run has failed (${run.failure}), but ${dead} items died`);
      break;
    default:
      violations.push(`the run is ${run.status} in the end`);
  }
  const end = history.findIndex(({ completedAt }) => completedAt !== undefined);
  if (end < 0) violations.push("the run has not ended");
  else for (const { status } of history.slice(end + 1)) violations.push(`the run had ended, and became ${status}`);
}

/** Checks that the run's end was announced, and always in the same way. */
function checkCompletion(
  { lines, controlDeadLetters }: Evidence,
  run: Row,
  items: readonly Placed[],
  violations: string[],
) {
  if (controlDeadLetters.length > 0)
    violations.push(`the control queue's dead-letter queue holds ${controlDeadLetters}`);
  const summaries = lines.flatMap((line) => (line.type === "complete" ? [line.summary] : []));
  if (summaries.length === 0) violations.push("onComplete was never called");
  const distinct = new Set(summaries.map((summary) => JSON.stringify(summary)));
  if (distinct.size > 1)
    violations.push(`onComplete was told ${distinct.size} different ends: ${[...distinct].join(" ")}`);
  for (const { status, produced, succeeded, dead, cancelled } of summaries) {
    const told = { status, produced, succeeded, dead, cancelled };
    const counted = {
      status: run.status,
      produced: items.length,
      succeeded: countOf(items, "done"),
      dead: countOf(items, "dead"),
      cancelled: countOf(items, "cancelled"),
    };
    if (JSON.stringify(told) !== JSON.stringify(counted)) {
      violations.push(`onComplete was told ${JSON.stringify(told)}, there is ${JSON.stringify(counted)}`);
    }
  }
}

/** Checks that no more tasks ran at once than allowed. Each task counts for the shortest time that it can have run. */
function checkConcurrency({ plan, lines, lastSeen }: Evidence, violations: string[]): void {
  const limit = plan.environments * plan.tasksPerEnvironment;
  const ends = new Map<string, number>();
  const exits = new Map<number, number>();
  for (const line of lines) {
    if ((line.type === "end" || line.type === "abort") && !ends.has(line.key)) ends.set(line.key, line.milliseconds);
    if (line.type === "exit") exits.set(line.pid, line.milliseconds);
  }
  const starts = lines.filter((line) => line.type === "start");
  const changes = starts.flatMap(({ key, pid, milliseconds: from }) => {
    const never = Number.POSITIVE_INFINITY;
    // A task that blocks its process ends with the process. A task that never settles ends at its timeout.
    const to = Math.min(
      ends.get(key) ?? never,
      exits.get(pid) ?? never,
      lastSeen.get(pid) ?? never,
      from + TASK_TIMEOUT_MILLISECONDS - 50,
    );
    return [
      { at: from, by: 1 },
      { at: Math.max(from, to), by: -1 },
    ];
  });
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let running = 0;
  let most = 0;
  for (const { by } of changes) {
    running += by;
    most = Math.max(most, running);
  }
  if (most > limit) violations.push(`${most} tasks ran at once, ${limit} may`);
}

/** Checks that in no window of w seconds more than `rate × (w + 1) + burst` tasks began. */
function checkRate({ plan: { rateLimit }, lines }: Evidence, violations: string[]): void {
  if (rateLimit === undefined) return;
  const { perSecond, burst } = rateLimit;
  const starts = lines.flatMap((line) => (line.type === "start" ? [line.milliseconds] : [])).sort((a, b) => a - b);
  // For the window from the first start to the last: starts - rate × seconds. The worst window before a start begins where
  // this number is smallest.
  let first = 0;
  let worst = { excess: 0, began: 0, seconds: 0 };
  const level = (position: number) => position - (perSecond * (starts[position] ?? 0)) / 1_000;
  for (let last = 0; last < starts.length; last++) {
    if (level(last) < level(first)) first = last;
    const seconds = ((starts[last] ?? 0) - (starts[first] ?? 0)) / 1_000;
    const began = last - first + 1;
    const excess = began - (perSecond * (seconds + 1) + burst);
    if (excess > worst.excess) worst = { excess, began, seconds };
  }
  if (worst.excess <= 0) return;
  const { began, seconds } = worst;
  violations.push(
    `${began} tasks began in ${seconds.toFixed(2)} s, with ${perSecond} a second and a burst of ${burst}`,
  );
}

/**
 * Checks that no wait cost an attempt: an attempt's number is at most one more than the number of earlier attempts that
 * neither ended in a wait nor succeeded.
 *
 * An isolated attempt counts as a failed one if its consumer is killed before the outcome is recorded, so each isolated attempt
 * counts here.
 *
 * A process that is killed when it has received its item, and before the task begins, has failed too. The journal has no start of
 * such an attempt, so each isolated process without a start excuses one.
 */
function checkWaits(lines: readonly Line[], violations: string[]): void {
  const isolated = new Set(
    lines.flatMap((line) => (line.type === "process" && line.role === "isolated" ? [line.pid] : [])),
  );
  const harmless = new Set(
    lines.flatMap((line) =>
      line.type === "end" && (line.ok || line.wait === true) && !isolated.has(line.pid) ? [line.key] : [],
    ),
  );
  const begun = new Set(lines.flatMap((line) => (line.type === "start" ? [line.pid] : [])));
  const excused = lines.filter((line) => line.type === "process" && line.role === "isolated" && !begun.has(line.pid));
  const excess: string[] = [];
  const failures = new Map<string, number>();
  for (const line of lines) {
    if (line.type !== "start") continue;
    const { id, attempt, key } = line;
    const before = Math.max(failures.get(id) ?? 0, attempt - 1);
    const unknown = before - (failures.get(id) ?? 0);
    for (let each = 0; each < unknown; each++)
      excess.push(`item ${id} was tried a ${attempt}th time after ${failures.get(id) ?? 0} failures`);
    failures.set(id, harmless.has(key) ? before : before + 1);
  }
  if (excess.length > excused.length) violations.push(...new Set(excess));
}

/** Checks that no item was attempted too often, or during a pause. */
function checkAttempts({ lines, pauses }: Evidence, violations: string[]): void {
  checkWaits(lines, violations);
  const starts = lines.filter((line): line is Extract<Line, { type: "start" }> => line.type === "start");
  for (const { id, attempt } of starts)
    if (attempt > ATTEMPTS) violations.push(`item ${id} was tried a ${attempt}th time`);
  for (const { from, to } of pauses) {
    const begun = starts.filter(({ milliseconds: at }) => at > from + PAUSE_NOTICED_MILLISECONDS && at < to);
    if (begun.length > 0) violations.push(`${begun.length} tasks began while the run was paused`);
  }
}

/** Checks that the run went on soon after a producer was killed, and that no source was read during its wait. */
function checkProducers({ lines, producerKills, lastSeen }: Evidence, violations: string[]): void {
  const reads = lines.filter(({ type }) => type === "read").map(({ milliseconds }) => milliseconds);
  for (const killedAt of producerKills) {
    // No read follows if the source was read to its end before. A run that never goes on has not ended.
    const next = reads.find((at) => at > killedAt);
    if (next === undefined || next <= killedAt + LONGEST_STALL_MILLISECONDS) continue;
    const seconds = ((next - killedAt) / 1_000).toFixed(1);
    violations.push(`after a producer was killed, the source was not read for ${seconds} s`);
  }
  for (const line of lines) {
    if (line.type !== "refused") continue;
    // A process that was killed before it could write the wait into the ledger could tell no other process of it.
    const died = lastSeen.get(line.pid) ?? Number.POSITIVE_INFINITY;
    if (died < line.milliseconds + WAIT_RECORDED_MILLISECONDS) continue;
    const early = reads.filter(
      (at) => at > line.milliseconds && at < line.milliseconds + line.forMilliseconds - REFUSAL_NOTED_MILLISECONDS,
    );
    if (early.length > 0) violations.push(`the source was read ${early.length} times though it was told to wait`);
  }
}
