/** The faults that can be injected, each with its probability (0 to 1) per request or message. */
export interface FaultProbabilities {
  /** A request is refused with `RequestThrottled` and has no effect. */
  readonly throttle: number;
  /** A request is refused with HTTP 500 `InternalFailure` and has no effect. */
  readonly internalFailure: number;
  /** A request takes effect, but its connection closes without an answer. */
  readonly lostResponse: number;
  /** A request has no effect, and its connection closes after `timeoutMs`. */
  readonly timeout: number;
  /** A received message stays visible, so another receive gets it too. */
  readonly duplicate: number;
  /** A receive from a standard queue takes any of the first `reorderWindow` visible messages. */
  readonly reorder: number;
}

/** Which faults happen, and to which requests. */
export interface FaultSettings extends FaultProbabilities {
  /** How long a request waits before it times out, in ms. Default: 1,000. */
  readonly timeoutMs: number;
  /** From how many visible messages a reordered receive picks. Default: 50. */
  readonly reorderWindow: number;
  /** Actions without faults, such as `SendMessage`. Default: none. */
  readonly exceptActions: readonly string[];
  /** Names of the queues without faults. Default: none. */
  readonly exceptQueues: readonly string[];
}

/** What happens to one request. */
export type RequestFault = "throttle" | "internalFailure" | "lostResponse" | "timeout";

const requestFaults: readonly RequestFault[] = ["throttle", "internalFailure", "timeout", "lostResponse"];

const none: FaultSettings = {
  throttle: 0,
  internalFailure: 0,
  lostResponse: 0,
  timeout: 0,
  duplicate: 0,
  reorder: 0,
  timeoutMs: 1_000,
  reorderWindow: 50,
  exceptActions: [],
  exceptQueues: [],
};

/**
 * Injects faults, for tests that show that nothing is lost. The same seed and the same requests in the same order lead to
 * the same faults. Each kind of fault has a random sequence of its own, so one kind does not change the others.
 *
 * @example new Faults({ seed: 7, duplicate: 0.01, exceptQueues: ["control.fifo"] })
 */
export class Faults {
  #settings: FaultSettings = none;
  readonly #draws: Readonly<Record<keyof FaultProbabilities | "pick", () => number>>;

  constructor(options: { readonly seed: number } & Partial<FaultSettings>) {
    const { seed, ...settings } = options;
    const stream = (index: number) => mulberry32(seed + Math.imul(index, 0x9e37_79b9));
    this.#draws = {
      throttle: stream(1),
      internalFailure: stream(2),
      lostResponse: stream(3),
      timeout: stream(4),
      duplicate: stream(5),
      reorder: stream(6),
      pick: stream(7),
    };
    this.set(settings);
  }

  /**
   * Changes some settings at once.
   *
   * @throws RangeError A probability is not from 0 to 1.
   */
  set(settings: Partial<FaultSettings>): void {
    const next = { ...this.#settings, ...settings };
    for (const kind of [...requestFaults, "duplicate", "reorder"] as const) {
      if (!(next[kind] >= 0 && next[kind] <= 1)) {
        throw new RangeError(`fault "${kind}": the probability must be from 0 to 1, and it is ${next[kind]}`);
      }
    }
    this.#settings = next;
  }

  /** Turns all faults off. */
  clear(): void {
    this.#settings = none;
  }

  /** The current settings. */
  get settings(): FaultSettings {
    return this.#settings;
  }

  /** Decides which fault a request has, if any. */
  ofRequest(action: string, queue: string | undefined): RequestFault | undefined {
    if (this.#excepts(action, queue)) return undefined;
    // Every kind draws a number for each request, so the sequences do not depend on each other.
    const met = requestFaults.filter((kind) => this.#happens(kind));
    return met[0];
  }

  /** Decides whether a received message stays visible. */
  duplicates(queue: string): boolean {
    return !this.#excepts("ReceiveMessage", queue) && this.#happens("duplicate");
  }

  /** From how many visible messages a receive picks at random. `undefined`: it keeps their order. */
  reorderWindow(queue: string): number | undefined {
    if (this.#excepts("ReceiveMessage", queue) || !this.#happens("reorder")) return undefined;
    return this.#settings.reorderWindow;
  }

  /** Picks `count` of the items, in random order. */
  pick<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const picked: T[] = [];
    while (picked.length < count && rest.length > 0) {
      picked.push(...rest.splice(Math.floor(this.#draws.pick() * rest.length), 1));
    }
    return picked;
  }

  #happens(kind: keyof FaultProbabilities): boolean {
    return this.#draws[kind]() < this.#settings[kind];
  }

  #excepts(action: string, queue: string | undefined): boolean {
    const { exceptActions, exceptQueues } = this.#settings;
    return exceptActions.includes(action) || exceptQueues.some((name) => name === queue);
  }
}

/** Mulberry32: a random number generator with 32 bits of state. Returns numbers from 0 to 1. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
