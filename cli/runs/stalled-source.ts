import { isWaiting, type RunRecord } from "../../shared/ledger/run-record.ts";
import { oneLine } from "../screens/printable.ts";

/** A producer reads a page within seconds. One that was killed is followed by another within 30 s. */
const STALLED_MILLISECONDS = 15_000;

/** What is seen of a run at one moment. */
export interface ProducerLook {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly run: RunRecord;
  /** Tasks in flight. */
  readonly inFlight: number;
  /** How the latest invocation failed that did, if any. */
  readonly failure: string | undefined;
}

/** Says why a run does not move while its source has not ended: its service asked to wait, or no page comes. */
export class ProducerWatch {
  #progress = "";
  #progressAt = 0;
  #warned = false;
  #toldUntil: number | undefined;

  /** @returns a line that is new, each of them once. */
  look(look: ProducerLook): string | undefined {
    const { now, run, inFlight, failure } = look;
    const { checkpoint, wait, hop, failedSlices, fullAt } = run;
    if (wait !== undefined && isWaiting(run, now)) {
      this.#progressAt = now;
      if (this.#toldUntil === wait.until) return undefined;
      this.#toldUntil = wait.until;
      return `The source asks to wait until ${timeOf(wait.until, now)}, then the run goes on: ${oneLine(wait.reason)}`;
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
    const because = failure === undefined ? "" : ` (the latest failure: ${oneLine(failure)})`;
    return (
      `No page was read for ${STALLED_MILLISECONDS / 1_000} s, and no task is in flight: the source is slow, or its ` +
      `producer was killed${because}. Another producer follows a killed one within 30 s.`
    );
  }
}

/** The time of a day, in the zone of this machine; with the date where it is another day. */
export function timeOf(milliseconds: number, now = Date.now()): string {
  const date = new Date(milliseconds);
  const time = date.toLocaleTimeString("en-GB");
  return date.toDateString() === new Date(now).toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}
