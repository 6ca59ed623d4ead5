/** What happened in a simulation, by second. */
export class Metrics {
  readonly acceptedBySecond: number[] = [];
  readonly refusedBySecond: number[] = [];
  readonly billedBySecond: number[] = [];
  readonly latencyBySecond: number[] = [];
  /** Invocations that began. */
  readonly invocationsBySecond: number[] = [];
  /** Attempts that timed out because the service made them wait. */
  timeouts = 0;
  deaths = 0;
  attempts = 0;
  lastSuccess = 0;

  started(_at: number): void {
    this.attempts++;
  }

  accepted(at: number, latency: number): void {
    add(this.acceptedBySecond, at, 1);
    add(this.latencyBySecond, at, latency);
  }

  invoked(at: number): void {
    add(this.invocationsBySecond, at, 1);
  }

  refused(at: number): void {
    add(this.refusedBySecond, at, 1);
  }

  succeeded(at: number): void {
    this.lastSuccess = at;
  }

  billed(from: number, to: number): void {
    for (let at = from; at < to; ) {
      const next = Math.min(to, (Math.floor(at / 1_000) + 1) * 1_000);
      add(this.billedBySecond, at, (next - at) / 1_000);
      at = next;
    }
  }
}

function add(bySecond: number[], at: number, amount: number): void {
  const second = Math.floor(at / 1_000);
  while (bySecond.length <= second) bySecond.push(0);
  bySecond[second] = (bySecond[second] ?? 0) + amount;
}

/** The sum over the seconds from `from` (included) to `to` (excluded). */
export const sum = (bySecond: readonly number[], from: number, to: number): number =>
  bySecond.slice(from, to).reduce((total, each) => total + each, 0);
