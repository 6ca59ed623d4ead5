import type { TaskLogger } from "../../base/task.ts";
import { countWaits } from "../../base/waits.ts";
import { addressOf, identityOf } from "../../messages/item-address.ts";
import type { ItemMessage } from "../../messages/item-message.ts";
import { type AttemptOutcome, runAttempt } from "./attempt.ts";
import { IsolatedAttempts, type IsolatedAttemptsOptions, type IsolatedOutcome } from "./isolated-attempts.ts";
import { isSuspect, type PendingState } from "./receive-history.ts";

export interface ItemAttemptsOptions extends IsolatedAttemptsOptions {
  /** The task's logger. Each of its lines has the given fields. */
  readonly taskLogger: (fields: Readonly<Record<string, string | number>>) => TaskLogger;
}

/** Makes attempts of items: in this process, or isolated if the item is a suspect. */
export class ItemAttempts {
  readonly #options: ItemAttemptsOptions;
  readonly #isolated: IsolatedAttempts;

  constructor(options: ItemAttemptsOptions) {
    this.#options = options;
    this.#isolated = new IsolatedAttempts(options);
  }

  /**
   * Makes one attempt.
   *
   * @param deadline When the invocation must begin to record, in the clock's milliseconds.
   * @throws What the ledger throws, for suspects only: the message must be received again.
   */
  async attempt(item: ItemMessage, state: PendingState, deadline: number): Promise<IsolatedOutcome> {
    if (isSuspect(item, state)) return await this.#isolated.attempt(item, state, deadline);
    const outcome = await this.#run(item, state, deadline);
    return { tag: "attempted", outcome, failures: state.failures };
  }

  #run({ envelope }: ItemMessage, { failures, waits }: PendingState, deadline: number): Promise<AttemptOutcome> {
    const { workflow, taskLogger, now } = this.#options;
    const { run, partition, page, index } = addressOf(envelope);
    const attempt = failures.length + 1;
    return runAttempt({
      task: workflow.task,
      schema: workflow.item,
      item: envelope.item,
      fieldsFrom: workflow.source.fieldsFrom,
      ...(envelope.results === true && { result: { schema: workflow.result } }),
      context: {
        attempt,
        waits: countWaits(waits),
        run: { id: run, workflow: workflow.name },
        ...identityOf(envelope),
        logger: taskLogger({ run, ...(partition > 0 && { partition }), page, index, attempt }),
      },
      timeoutMilliseconds: workflow.timeoutMilliseconds,
      deadline,
      now,
    });
  }
}
