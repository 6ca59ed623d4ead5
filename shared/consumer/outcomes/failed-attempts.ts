import { publish } from "../../base/events.ts";
import { cut, type Failure, roomForMessage, toFailure } from "../../base/failure.ts";
import type { InvalidFinding } from "../../base/invalid-finding.ts";
import type { Metrics } from "../../base/metrics.ts";
import type { RequestedWait } from "../../base/requested-wait.ts";
import { backoffMilliseconds } from "../../base/retry.ts";
import type { TaskLogger } from "../../base/task.ts";
import { countWaits, LONG_WAIT_MILLISECONDS, nextWaitMilliseconds } from "../../base/waits.ts";
import { InvalidItemError } from "../../definition/item-schema.ts";
import type { Workflow } from "../../definition/workflow.ts";
import type { ItemLedger } from "../../ledger/item-ledger.ts";
import type { RunStates } from "../../ledger/run-states.ts";
import type { InvalidFindings } from "../../ledger/same-failure.ts";
import { addressOf, logFields } from "../../messages/item-address.ts";
import { type ItemMessage, receiveOf } from "../../messages/item-message.ts";
import { messageFinding } from "../../messages/message-finding.ts";
import type { AttemptOutcome } from "../attempts/attempt.ts";
import { isSuspect, type PendingState } from "../attempts/receive-history.ts";
import type { CodeWatch } from "../code-watch.ts";
import { finalReason } from "./final-reason.ts";
import type { Outcome } from "./outcome.ts";
import { StopCheck } from "./stop-check.ts";

/** The longest message of a wait that is kept, in bytes. Four of them are in one row, beside the failures. */
const LONGEST_WAIT_MESSAGE = 500;

/** The longest failure in a line of the log, in bytes. The ledger keeps more, and CloudWatch Logs bills each byte. */
const LONGEST_REPORTED_FAILURE = 500;

type FailedOutcome = Extract<AttemptOutcome, { tag: "failed" }>;

export interface FailedAttemptsOptions {
  readonly workflow: Workflow;
  readonly ledger: ItemLedger;
  readonly runs: RunStates;
  readonly codeWatch?: CodeWatch | undefined;
  readonly metrics: Metrics;
  readonly logger: TaskLogger;
  readonly now: () => number;
  readonly random: () => number;
}

/** What follows a failed attempt once it is recorded: either a disposition, or another outcome that is recorded next. */
export type AfterFailure =
  /** `failure` is absent if the attempt ended in a wait, which is no failure. */
  | { readonly tag: "retry"; readonly afterMilliseconds: number; readonly failure?: Failure }
  | Extract<Outcome, { tag: "dead" | "cancelled" }>;

/** Records attempts that failed, and attempts that ended in a wait, and decides what follows. */
export class FailedAttempts {
  readonly #options: FailedAttemptsOptions;
  readonly #invalidFindings: InvalidFindings;
  readonly #stopCheck: StopCheck;

  constructor(options: FailedAttemptsOptions) {
    this.#options = options;
    this.#invalidFindings = options.ledger.invalidFindings();
    this.#stopCheck = new StopCheck(options.runs);
  }

  async recordFailure(
    item: ItemMessage,
    { failures: before, waits }: PendingState,
    outcome: FailedOutcome,
  ): Promise<AfterFailure> {
    const { workflow, ledger, metrics } = this.#options;
    const room = roomForMessage(before, workflow.retry.attempts);
    const failure = toFailure(outcome.thrown, { ...outcome, attempt: before.length + 1, room });
    if (outcome.kind === "timed out") metrics.count("timedOut", 1);
    const final = finalReason(outcome, before.length + 1, workflow.retry.attempts);
    if (final === "invalid item") {
      await this.#invalidFindings.note(item.envelope.run, findingOf(outcome.thrown, failure));
    }
    const noted = final === "invalid item" ? await this.#withCodeChange(failure, item, room) : failure;
    const failures = await ledger.attempts.recordFailure(addressOf(item.envelope), receiveOf(item), noted, final);
    const reason = final ?? (failures.length >= workflow.retry.attempts ? "exhausted" : undefined);
    if (reason !== undefined) return { tag: "dead", item, reason, history: { failures, waits } };
    return { tag: "retry", afterMilliseconds: this.#backoff(failures.length), failure };
  }

  /** Records a wait that the task asked for. It is no failure. */
  async recordWait(
    item: ItemMessage,
    state: PendingState,
    outcome: FailedOutcome,
    asked: RequestedWait,
  ): Promise<AfterFailure> {
    const { workflow, ledger } = this.#options;
    const milliseconds = nextWaitMilliseconds(asked, this.#backoff(countWaits(state.waits) + 1));
    const { name, message } = toFailure(outcome.thrown, { ...outcome, attempt: 0, room: LONGEST_WAIT_MESSAGE });
    const { startedAt, endedAt } = outcome;
    const { waits, exceeds } = await ledger.attempts.recordWait(
      addressOf(item.envelope),
      {
        kind: asked.kind,
        note: { at: new Date(endedAt).toISOString(), name, message, milliseconds },
        receive: receiveOf(item),
        startedAt,
        endedAt,
      },
      state,
      { atMostMilliseconds: workflow.retry.waitAtMostMilliseconds, isSuspect: isSuspect(item, state) },
    );
    if (exceeds) return { tag: "dead", item, reason: "waited too long", history: { failures: state.failures, waits } };
    const afterMilliseconds = waits.until - this.#options.now();
    // The check must come after the wait is recorded. The producer of a run that is being stopped looks for waiting items
    // once, and may have done so before.
    if (afterMilliseconds > LONG_WAIT_MILLISECONDS && (await this.#stopCheck.isStopping(item.envelope.run))) {
      return { tag: "cancelled", item };
    }
    return { tag: "retry", afterMilliseconds };
  }

  /**
   * Reports a retry after a failure. Called when the message is certain to return.
   *
   * The level of the line is below that of the line of a dead letter, so that a workflow whose items often fail can drop
   * these lines alone: `POWERTOOLS_LOG_LEVEL=WARN`.
   */
  noteRetry({ envelope }: ItemMessage, { attempt, name, message }: Failure, afterMilliseconds: number): void {
    const { metrics, logger, workflow } = this.#options;
    const failure = cut(`${name}: ${message}`, LONGEST_REPORTED_FAILURE);
    metrics.count("retried", 1);
    publish({ event: "retried", failure });
    logger.info("attempt failed", {
      ...logFields(addressOf(envelope)),
      attempt,
      attempts: workflow.retry.attempts,
      failure,
      nextInSeconds: Math.round(afterMilliseconds / 100) / 10,
    });
  }

  /** Adds to the failure of an invalid item that the run began with other code, whose schema may have accepted the item. */
  async #withCodeChange(failure: Failure, { envelope }: ItemMessage, room: number): Promise<Failure> {
    const change = await this.#options.codeWatch?.changeSince(envelope.run);
    if (change === undefined) return failure;
    const note =
      ` (the run began with code version ${change.from}, and version ${change.to} rejects this item. If the schema became ` +
      "stricter by mistake, deploy a correction and redrive the item)";
    const message = cut(failure.message, Math.max(0, room - note.length));
    return { ...failure, message: message + note };
  }

  #backoff(number: number): number {
    return backoffMilliseconds(this.#options.workflow.retry, number, this.#options.random());
  }
}

/** If the item failed in an isolated attempt, only the message of its error is known. */
const findingOf = (thrown: unknown, { message }: Failure): InvalidFinding =>
  thrown instanceof InvalidItemError ? thrown.finding : messageFinding(message);
