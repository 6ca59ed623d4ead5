import type { ReceivedMessage } from "../../aws/received-message.ts";
import { lastError, type Reason } from "../../base/failure.ts";
import type { Metrics } from "../../base/metrics.ts";
import type { TaskLogger } from "../../base/task.ts";
import { addressOf, logFields } from "../../messages/item-address.ts";
import type { ItemMessage } from "../../messages/item-message.ts";
import { DeadLettering, type DeadLetteringOptions } from "./dead-lettering.ts";
import { DELETE, type Disposition, type History } from "./outcome.ts";
import { ToleranceWatch, type ToleranceWatchOptions } from "./tolerance-watch.ts";

const TOLERANCE_UNKNOWN = "could not check whether too many items have died";

export interface ItemDeathsOptions extends DeadLetteringOptions, ToleranceWatchOptions {
  readonly logger: TaskLogger;
  readonly metrics: Metrics;
}

/** Records, counts and logs the deaths of items, and stops a run if too many of its items die. */
export class ItemDeaths {
  readonly #options: ItemDeathsOptions;
  readonly #deadLettering: DeadLettering;
  readonly #toleranceWatch: ToleranceWatch;

  constructor(options: ItemDeathsOptions) {
    this.#options = options;
    this.#deadLettering = new DeadLettering(options);
    this.#toleranceWatch = new ToleranceWatch(options);
  }

  async record(item: ItemMessage, reason: Reason, history: History): Promise<Disposition> {
    const { metrics, logger } = this.#options;
    const { failures, waits } = history;
    // The last failure caused the death and led to no retry. An item that died unexplained, or because it waited too
    // long, has no such failure.
    const isWithoutFailure = reason === "unexplained" || reason === "waited too long";
    const retries = isWithoutFailure ? failures.length : Math.max(0, failures.length - 1);
    const result = await this.#deadLettering.moveItem(item.envelope, reason, history, retries);
    if (result.tag === "not needed") return DELETE;
    metrics.count("deadLettered", 1);
    const { message: failure } = lastError(reason, failures, waits);
    logger.warn("dead letter", { ...logFields(addressOf(item.envelope)), reason, failure });
    // The death is recorded even if this fails. The next death checks again.
    await this.#toleranceWatch.noteDeath(item.envelope.run).catch((error) => logger.warn(TOLERANCE_UNKNOWN, { error }));
    return DELETE;
  }

  async recordForeign(message: ReceivedMessage, error: Error): Promise<Disposition> {
    await this.#deadLettering.moveForeign(message, error);
    this.#options.metrics.count("deadLettered", 1);
    return DELETE;
  }

  /** Called when all outcomes are recorded. Never rejects. */
  async finish(): Promise<void> {
    await this.#toleranceWatch.finish().catch((error) => this.#options.logger.warn(TOLERANCE_UNKNOWN, { error }));
  }
}
