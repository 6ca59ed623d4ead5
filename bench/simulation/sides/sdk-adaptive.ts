import type { Start, StartedAttempt } from "../../../shared/limits/environment-limit.ts";
import { FixedSide } from "./fixed.ts";

const BETA = 0.7;
const SCALE = 0.4;
const SMOOTHING = 0.8;
const LOWEST_RATE = 0.5;

/**
 * The client rate limiter of the AWS SDK's adaptive retry mode, one in each environment. Its constants and steps are those of the SDK:
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
export class SdkAdaptiveSide extends FixedSide {
  #isEnabled = false;
  #fillRate = 0;
  #capacity = 0;
  #tokens = 0;
  #filledAt = 0;
  #measured = 0;
  #bucket = 0;
  #requests = 0;
  #lastMax = 0;
  #lastThrottle = 0;
  #window = 0;

  override mayStart(): Start {
    const start = super.mayStart();
    if (start.tag !== "start" || !this.#isEnabled) return start;
    this.#refill();
    if (this.#tokens >= 1 - 1e-6) return start;
    return { tag: "wait", until: this.context.events.now + (1_000 * (1 - this.#tokens)) / this.#fillRate };
  }

  override started(): StartedAttempt {
    if (this.#isEnabled) this.#tokens--;
    return super.started();
  }

  override ended(attempt: StartedAttempt, ended: { readonly tag: string }): void {
    super.ended(attempt, ended);
    const now = this.context.events.now / 1_000;
    this.#measure(now);
    let rate: number;
    if (ended.tag === "throttled") {
      const used = this.#isEnabled ? Math.min(this.#measured, this.#fillRate) : this.#measured;
      this.#lastMax = used;
      this.#window = Math.cbrt((used * (1 - BETA)) / SCALE);
      this.#lastThrottle = now;
      rate = used * BETA;
      this.#isEnabled = true;
    } else {
      this.#window = Math.cbrt((this.#lastMax * (1 - BETA)) / SCALE);
      rate = SCALE * (now - this.#lastThrottle - this.#window) ** 3 + this.#lastMax;
    }
    this.#refill();
    const next = Math.min(rate, 2 * this.#measured);
    this.#fillRate = Math.max(next, LOWEST_RATE);
    this.#capacity = Math.max(next, 1);
    this.#tokens = Math.min(this.#tokens, this.#capacity);
  }

  #measure(now: number): void {
    const bucket = Math.floor(now * 2) / 2;
    this.#requests++;
    if (bucket <= this.#bucket) return;
    const rate = this.#requests / (bucket - this.#bucket);
    this.#measured = rate * SMOOTHING + this.#measured * (1 - SMOOTHING);
    this.#requests = 0;
    this.#bucket = bucket;
  }

  #refill(): void {
    const now = this.context.events.now / 1_000;
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) * this.#fillRate);
    this.#filledAt = now;
  }
}
