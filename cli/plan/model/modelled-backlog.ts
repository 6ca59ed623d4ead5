import { FILLED_PART, FILLING_MILLISECONDS, FRESH_MILLISECONDS } from "../../../shared/consumer/slots/backlog-watch.ts";
import type { ModelledQueue } from "./modelled-queue.ts";
import { REQUEST_MILLISECONDS } from "./request-time.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What an invocation knows of the queue's depth, in simulated time. The rules are those of `BacklogWatch`, which has real timers. */
export class ModelledBacklog {
  readonly #clock: VirtualClock;
  readonly #queue: ModelledQueue;
  readonly #onRequest: () => void;
  readonly #onChange: () => void;
  #known: { readonly at: number; readonly visible: number } | undefined;
  #isAsking = false;
  #remindAt: number | undefined;
  #hasEnded = false;

  constructor(
    clock: VirtualClock,
    queue: ModelledQueue,
    on: { readonly request: () => void; readonly change: () => void },
  ) {
    this.#clock = clock;
    this.#queue = queue;
    this.#onRequest = on.request;
    this.#onChange = on.change;
  }

  fillsSlots(concurrency: number, meanMilliseconds: number, isFilling: boolean): boolean {
    const age = this.#known === undefined ? Number.POSITIVE_INFINITY : this.#clock.now - this.#known.at;
    const taken = (concurrency * age) / Math.max(1, meanMilliseconds);
    const fills = this.#known !== undefined && this.#known.visible >= FILLED_PART * concurrency + taken;
    const fresh = fills || !isFilling ? FRESH_MILLISECONDS : FILLING_MILLISECONDS;
    if (age >= fresh) this.#ask();
    else if (!fills && isFilling) this.#remindLater();
    return fills;
  }

  end(): void {
    this.#hasEnded = true;
  }

  #remindLater(): void {
    if (this.#remindAt !== undefined) return;
    this.#remindAt = this.#clock.now + FILLING_MILLISECONDS;
    this.#clock.at(this.#remindAt, () => {
      this.#remindAt = undefined;
      if (!this.#hasEnded) this.#onChange();
    });
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#onRequest();
    const at = this.#clock.now;
    this.#clock.at(at + REQUEST_MILLISECONDS / 2, () => {
      const { visible } = this.#queue;
      this.#clock.at(at + REQUEST_MILLISECONDS, () => {
        this.#known = { at, visible };
        this.#isAsking = false;
        if (!this.#hasEnded) this.#onChange();
      });
    });
  }
}
