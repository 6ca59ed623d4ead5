import { Faults, type RequestFault } from "../../local/sqs/injected-faults.ts";
import type { Rates } from "./plan.ts";

/** Faults that write a note when they strike. */
export class StruckFaults extends Faults {
  readonly #strike: (fault: string) => void;

  constructor(seed: number, rates: Rates, strike: (fault: string) => void) {
    super({ seed });
    this.#strike = strike;
    this.setRates(rates);
  }

  setRates({ failure, lost, ...rates }: Rates): void {
    this.set({ ...rates, internalFailure: failure, lostResponse: lost });
  }

  override ofRequest(action: string, queue: string | undefined): RequestFault | undefined {
    const fault = super.ofRequest(action, queue);
    if (fault !== undefined) this.#strike(fault);
    return fault;
  }

  override duplicates(queue: string): boolean {
    const happens = super.duplicates(queue);
    if (happens) this.#strike("duplicate");
    return happens;
  }

  override reorderWindow(queue: string): number | undefined {
    const window = super.reorderWindow(queue);
    if (window !== undefined) this.#strike("reorder");
    return window;
  }
}
