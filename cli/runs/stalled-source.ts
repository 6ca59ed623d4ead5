import { isWaiting, type RunRecord } from "../../shared/ledger/run-record.ts";
import { seconds, timeOf } from "../screens/format.ts";
import { oneLine } from "../screens/printable.ts";

/** A producer normally reads a page within seconds. If a producer is killed, another one continues within 30 s. */
const STALLED_MILLISECONDS = 15_000;

/** The state of a run at one moment. */
export interface SourceState {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly run: RunRecord;
  /** How many tasks are in flight. */
  readonly inFlight: number;
  /** The error of the latest invocation that failed, if any. */
  readonly failure: string | undefined;
  /** Since when a page has been read, in milliseconds since 1970. `undefined` if none is being read. */
  readonly readingSince?: number | undefined;
}

/** Notices that a run reads no more pages although its source has not ended, and says why. */
export class StalledSource {
  #progress = "";
  #progressAt = 0;
  #warned = false;
  #toldUntil: number | undefined;

  /** Returns a line for the user if there is something new to say. */
  check({ now, run, inFlight, failure, readingSince }: SourceState): string | undefined {
    const { checkpoint, wait, hop, failedSlices, fullAt } = run;
    if (wait !== undefined && isWaiting(run, now)) {
      this.#progressAt = now;
      if (this.#toldUntil === wait.until) return undefined;
      this.#toldUntil = wait.until;
      return `The source asks to wait until ${timeOf(wait.until, now)}. The run then continues. Reason: ${oneLine(wait.reason)}`;
    }
    const progress = [checkpoint.count, hop, failedSlices, fullAt?.at].join();
    const isProducing = run.status === "running" && !checkpoint.ended;
    if (progress !== this.#progress || !isProducing || inFlight > 0) {
      this.#progress = progress;
      this.#progressAt = now;
      this.#warned = false;
      return undefined;
    }
    if (this.#warned || now - this.#progressAt < STALLED_MILLISECONDS) return undefined;
    this.#warned = true;
    if (readingSince !== undefined) {
      return (
        `The source has not answered for ${seconds((now - readingSince) / 1_000)}: readPage was called at ` +
        `${timeOf(readingSince, now)} and has not returned. If it does not answer, Ctrl-C stops the run at once, and ` +
        "`sluice resume` reads the page again."
      );
    }
    const because = failure === undefined ? "" : ` (the latest failure: ${oneLine(failure)})`;
    return (
      `No page was read for ${STALLED_MILLISECONDS / 1_000} s, and no task is in flight. The source is slow, or the ` +
      `producer was killed${because}. If it was killed, another producer continues within 30 s.`
    );
  }
}
