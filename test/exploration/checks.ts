import assert from "node:assert/strict";
import type { Row } from "../../shared/aws/table.ts";
import { nameOf, pagesOf, RUN, type Scope } from "./scope.ts";

// These checks read the rows themselves. They share no code with the ledger.

const numbers = (set: unknown): readonly number[] => (set instanceof Set ? [...set].map(Number) : []);

/** Checks that nothing about a run changes after its end, except that the end is announced. */
export function checkRun(before: Row | undefined, after: Row): void {
  if (before?.status === "cancelling")
    assert.ok(
      after.status === "cancelling" || after.status === "cancelled",
      `the run was being cancelled, and is ${after.status}`,
    );
  if (before?.status === "failing")
    assert.ok(
      after.status === "failing" || after.status === "failed",
      `the run was being stopped, and is ${after.status}`,
    );
  if (before?.completedAt === undefined) return;
  for (const attribute of ["status", "completedAt", "failure", "totals", "pages", "items", "ended"]) {
    assert.deepEqual(after[attribute], before[attribute], `the run had ended, and its ${attribute} changed`);
  }
}

/** Checks that a run that works is one of the active runs. Otherwise a schedule could start another run beside it. */
export function checkActive(run: Row | undefined, active: Row | undefined): void {
  const works = ["running", "cancelling", "failing"].includes(String(run?.status)) && Number(run?.checkpoints) > 0;
  if (works) assert.ok(active?.[`run ${RUN}`] !== undefined, "the run works, and is none of the active runs");
}

/** Where each item is, by the rows of its pages. */
export function placesOf(rows: ReadonlyMap<string, Row>, scope: Scope) {
  return pagesOf(scope).flatMap(({ partition, page, kinds }) => {
    const row = rows.get(`run#${RUN}${partition === 0 ? "" : `#partition#${partition}`}#page#${page}|page`);
    const given = (set: string, index: number) => numbers(row?.[set]).includes(index);
    return kinds.map((kind, index) => {
      const done = given("done", index) && !given("dying", index) && !given("cancelled", index);
      const reasons = Object.keys(row ?? {}).filter((name) => name.startsWith("dead: ") && given(name, index));
      const places = [
        ...(done ? ["done"] : []),
        ...(reasons.length > 0 ? ["dead"] : []),
        ...(given("cancelled", index) ? ["cancelled"] : []),
      ];
      return { id: nameOf({ partition, page, index }), kind, sent: Number(row?.size ?? 0) > 0, places, reasons };
    });
  });
}

/** Checks at the moment in which a run ends that no item is pending. */
export function checkEnding(
  ends: number,
  rows: ReadonlyMap<string, Row>,
  facts: readonly string[],
  scope: Scope,
): void {
  assert.equal(ends, 1, `the run ended ${ends} times`);
  const run = rows.get(`run#${RUN}|run`);
  const items = placesOf(rows, scope);
  if (run?.status === "completed") assert.equal(run.items, items.length, "completed, and not all items are sent");
  for (const { id, places, sent } of items) {
    if (run?.status !== "completed" && !sent) continue;
    assert.equal(places.length, 1, `the run ended, and item ${id} is in ${places.join(" and ") || "no place"}`);
    const [place] = places;
    if (place === "done") assert.ok(facts.includes(`success ${id}`), `item ${id} is done, and never succeeded`);
    if (place === "dead")
      assert.ok(
        facts.some((fact) => fact.startsWith(`dead letter ${id} `)),
        `item ${id} is dead, and no dead letter was sent`,
      );
  }
}

export interface End {
  readonly rows: ReadonlyMap<string, Row>;
  readonly facts: readonly string[];
  readonly ends: number;
  readonly cancelled: boolean;
  readonly announced: boolean;
  readonly scope: Scope;
}

/** Checks a state in which nothing is left to do: the run has ended once with exact counts, and this was announced. */
export function checkEnd({ rows, facts, ends, cancelled, announced, scope }: End): void {
  const run = rows.get(`run#${RUN}|run`);
  assert.ok(run !== undefined, "there is no run");
  assert.equal(ends, 1, "nothing is left to do, and the run has not ended");
  const { tolerated = Number.POSITIVE_INFINITY } = scope;
  const failed = run.status === "failed" && (run.totals as { dead: number }).dead > tolerated;
  assert.ok(
    run.status === "completed" || (cancelled && run.status === "cancelled") || failed,
    `the run is ${run.status}`,
  );
  const items = placesOf(rows, scope).filter(({ sent }) => run.status === "completed" || sent);
  for (const { id, kind, places, reasons } of items) {
    assert.equal(places.length, 1, `item ${id} is in ${places.join(" and ") || "no place"}`);
    const dies = kind === "bad" || kind === "late" || kind === "unsendable";
    const expected = kind === "fickle" ? ["dead", "done"] : [dies ? "dead" : "done"];
    if (run.status !== "completed") expected.push("cancelled");
    assert.ok(expected.includes(places[0] ?? ""), `item ${id} (${kind}) is ${places[0]}`);
    const deadLetters = facts.filter((fact) => fact.startsWith(`dead letter ${id} `));
    const dead = places[0] === "dead";
    assert.equal(
      deadLetters.length > 0,
      dead,
      `item ${id} is ${places[0]}, and has ${deadLetters.length} dead letters`,
    );
    if (dead) assert.deepEqual(deadLetters, [`dead letter ${id} ${reasons[0]?.slice(6)}`]);
  }
  const count = (place: string) => items.filter(({ places }) => places[0] === place).length;
  const counted = { dead: count("dead"), cancelled: count("cancelled") };
  const totals = run.totals as { dead: number; cancelled: number };
  assert.deepEqual({ dead: totals.dead, cancelled: totals.cancelled }, counted, "the run's totals");
  assert.equal(run.items, items.length, "the run's items");
  if (run.status === "completed")
    assert.ok(counted.dead <= tolerated, `${counted.dead} items died, and the run completed`);
  assert.ok(announced, "the run's end was not announced");
  assert.ok(!facts.includes("control dead letter"), "a control message was given up");
  if (!scope.completion) return;
  const told = facts.filter((fact) => fact.startsWith("completion ")).map((fact) => JSON.parse(fact.slice(11)));
  assert.equal(told.length, 1, `the run's end was told in ${told.length} ways`);
  const { status, produced, succeeded, dead, cancelled: dropped } = told[0];
  assert.deepEqual(
    { status, produced, succeeded, dead, cancelled: dropped },
    { status: run.status, produced: items.length, succeeded: count("done"), ...counted },
  );
  assert.ok(run.completionHandledAt !== undefined && run.completionError === undefined, "onComplete was given up");
  const active = rows.get("active|active");
  assert.ok(active?.[`run ${RUN}`] === undefined, "the run has ended, and is still one of the active runs");
}
