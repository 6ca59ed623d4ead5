import { type ItemError, toError } from "../base/errors.ts";
import { fromStoredText } from "../base/exact-json.ts";
import type { Reason } from "../base/failure.ts";
import { ITEMS_PER_PAGE } from "../base/items-per-page.ts";
import { countWaits } from "../base/waits.ts";
import { beyondTolerance } from "../definition/tolerance.ts";
import type { Workflow } from "../definition/workflow.ts";
import { type ItemAddress, identityOf, itemId } from "../messages/item-address.ts";
import type { Serialised } from "../producer/serialised.ts";
import { FakeClock } from "./fake-clock.ts";
import { afterAttempt, deathText, type ItemProgress, NOTHING_HAPPENED } from "./item-run.ts";
import { type LoggedLine, recordingLogger } from "./recorded-logs.ts";
import type { DeadItem, ItemReport, SucceededItem, WorkflowReport } from "./run-report.ts";
import { makeAttempt, TEST_RUN, throughMessage } from "./test-attempt.ts";

/** The checked options of a run. */
export interface TestRunSettings {
  readonly concurrency: number;
  readonly timeoutMilliseconds: number;
  readonly clock: FakeClock | undefined;
  readonly random: () => number;
  readonly signal: AbortSignal | undefined;
}

/** An item that has not ended. */
interface OpenItem<Input> {
  readonly position: number;
  readonly id: string;
  readonly given: Input;
  readonly received: unknown;
  readonly address: ItemAddress;
  progress: ItemProgress;
  /** When its next attempt may begin, by the clock. */
  at: number;
}

/**
 * A run in memory. Items are added first. `finish` then works on them until each has ended: it starts attempts while slots
 * are free, and moves the clock to the end of the next wait when nothing runs.
 */
export class TestRun<Result, Input> {
  readonly #workflow: Workflow<Result>;
  readonly #settings: TestRunSettings;
  readonly #clock: FakeClock;
  readonly #startedAt: number;
  readonly #reports: ItemReport<Result, Input>[] = [];
  readonly #logs: LoggedLine[] = [];
  /** Items whose next attempt may begin now. */
  #ready: OpenItem<Input>[] = [];
  #waiting: OpenItem<Input>[] = [];
  #running = 0;
  #added = 0;
  #dead = 0;
  #settled = 0;
  #retried = 0;
  #failure: string | undefined;
  readonly #idle = Promise.withResolvers<void>();

  constructor(workflow: Workflow<Result>, settings: TestRunSettings) {
    this.#workflow = workflow;
    this.#settings = settings;
    this.#clock = settings.clock ?? new FakeClock();
    this.#startedAt = this.#clock.now();
  }

  /**
   * Adds an item.
   *
   * @param given The value that the test gave. `undefined`: the item comes from the workflow's source.
   */
  add(serialised: Serialised, given: Input | undefined): void {
    const position = this.#added++;
    const address = { page: Math.floor(position / ITEMS_PER_PAGE), index: position % ITEMS_PER_PAGE };
    const id = itemId({ run: TEST_RUN, partition: 0, ...address });
    if ("error" in serialised) {
      const item = given ?? (serialised.text as Input);
      this.#die({ position, id, item }, "invalid item", serialised.error, NOTHING_HAPPENED);
      return;
    }
    try {
      const received = throughMessage(this.#workflow.name, address, serialised);
      const { progress, at } = { progress: NOTHING_HAPPENED, at: this.#startedAt };
      const shown = given ?? (received.item as Input);
      const item = { position, id, given: shown, received: received.item, address: received.address, progress, at };
      this.#ready.push(item);
    } catch (thrown) {
      const item = given ?? (fromStoredText(serialised.json) as Input);
      this.#die({ position, id, item }, "too large", thrown as ItemError, NOTHING_HAPPENED);
    }
  }

  async finish(warnings: readonly string[]): Promise<WorkflowReport<Result, Input>> {
    this.#settings.signal?.addEventListener("abort", this.#onAbort);
    this.#pump();
    await this.#idle.promise;
    this.#settings.signal?.removeEventListener("abort", this.#onAbort);
    return this.#report(warnings);
  }

  readonly #onAbort = () => this.#pump();

  get #isStopped(): boolean {
    return this.#failure !== undefined || this.#settings.signal?.aborted === true;
  }

  /** Starts attempts while slots are free. If nothing runs and no item is ready, the waits that end next are over. */
  #pump(): void {
    if (this.#isStopped) this.#cancelOpen();
    if (this.#running === 0 && this.#ready.length === 0 && this.#waiting.length > 0) this.#endNextWaits();
    while (this.#running < this.#settings.concurrency) {
      const item = this.#ready.shift();
      if (item === undefined) break;
      this.#running++;
      void this.#attempt(item);
    }
    if (this.#running === 0) this.#idle.resolve();
  }

  /** Moves the clock to the end of the next wait. */
  #endNextWaits(): void {
    this.#clock.jumpTo(this.#waiting.reduce((next, { at }) => Math.min(next, at), Number.POSITIVE_INFINITY));
    const now = this.#clock.now();
    this.#ready = this.#waiting.filter(({ at }) => at <= now);
    this.#waiting = this.#waiting.filter(({ at }) => at > now);
  }

  async #attempt(item: OpenItem<Input>): Promise<void> {
    const { failures, waits } = item.progress;
    const attempt = failures.length + 1;
    const { id } = item;
    const outcome = await makeAttempt(
      this.#workflow,
      item.received,
      {
        attempt,
        waits: countWaits(waits),
        run: { id: TEST_RUN, workflow: this.#workflow.name },
        ...identityOf(item.address),
        logger: recordingLogger(this.#logs, { id, attempt }),
      },
      { ...this.#settings, now: () => this.#clock.now() },
    );
    const after = afterAttempt(this.#workflow, item.progress, outcome, this.#settings.random);
    switch (after.tag) {
      case "succeeded": {
        const { position, given } = item;
        this.#settle({
          ...this.#base({ position, id, item: given }, item.progress),
          attempts: attempt,
          outcome: "succeeded",
          result: after.result,
        });
        break;
      }
      case "dead":
        this.#die({ ...item, item: item.given }, after.reason, after.error, after.progress);
        break;
      case "again":
        if (after.isRetry) this.#retried++;
        this.#waiting.push({ ...item, progress: after.progress, at: after.at });
    }
    this.#running--;
    this.#pump();
  }

  #die(
    item: { readonly position: number; readonly id: string; readonly item: Input },
    reason: Reason,
    error: Error,
    progress: ItemProgress,
  ): void {
    const message =
      progress.failures.length > 0 || progress.waits ? deathText(reason, progress) : toError(error).message;
    this.#dead++;
    this.#settle({ ...this.#base(item, progress), outcome: "dead", reason, error, message });
    const counts = { dead: this.#dead, settled: this.#settled };
    this.#failure ??= beyondTolerance(this.#workflow.toleratedFailures, counts);
  }

  #base(
    { position, id, item }: { readonly position: number; readonly id: string; readonly item: Input },
    { failures, waits }: ItemProgress,
  ) {
    return { position, id, item, attempts: failures.length, waits: countWaits(waits), history: failures };
  }

  #cancelOpen(): void {
    for (const item of [...this.#ready, ...this.#waiting]) {
      this.#settle({ ...this.#base({ ...item, item: item.given }, item.progress), outcome: "cancelled" });
    }
    this.#ready = [];
    this.#waiting = [];
  }

  #settle(report: ItemReport<Result, Input>): void {
    this.#reports.push(report);
    this.#settled++;
  }

  #report(warnings: readonly string[]): WorkflowReport<Result, Input> {
    const items = this.#reports.toSorted((one, other) => one.position - other.position);
    const succeeded = items.filter((item): item is SucceededItem<Result, Input> => item.outcome === "succeeded");
    const failures = items.filter((item): item is DeadItem<Input> => item.outcome === "dead");
    const cancelled = items.length - succeeded.length - failures.length;
    const deadByReason: Partial<Record<Reason, number>> = {};
    for (const { reason } of failures) deadByReason[reason] = (deadByReason[reason] ?? 0) + 1;
    return {
      status: this.#failure !== undefined ? "failed" : cancelled > 0 ? "cancelled" : "completed",
      ...(this.#failure !== undefined && { failure: this.#failure }),
      produced: items.length,
      succeeded: succeeded.length,
      dead: failures.length,
      cancelled,
      retried: this.#retried,
      deadByReason,
      results: succeeded.map(({ result }) => result),
      failures,
      items,
      warnings,
      logs: this.#logs,
      elapsedMilliseconds: this.#clock.now() - this.#startedAt,
    };
  }
}
