import type { Start, StartedAttempt } from "../../../shared/limits/environment-limit.ts";
import type { Side, SideContext } from "./side.ts";

/** All slots of the environment, whatever the service says. */
export class FixedSide implements Side {
  protected readonly context: SideContext;
  protected inFlight = 0;

  constructor(context: SideContext) {
    this.context = context;
  }

  begin(): void {}

  mayStart(): Start {
    return { tag: this.inFlight < this.size() ? "start" : "full" };
  }

  started(): StartedAttempt {
    this.inFlight++;
    return { at: this.context.events.now, inFlight: 0, load: 0, isProbe: false, isInWait: false };
  }

  ended(_attempt: StartedAttempt, _ended: { readonly tag: string }): void {
    this.inFlight--;
  }

  stock(): number {
    return this.context.slots;
  }

  drain(): void {}

  hideMilliseconds(): number {
    return 1_000;
  }

  end(): void {}

  die(): void {}

  protected size(): number {
    return this.context.slots;
  }
}
