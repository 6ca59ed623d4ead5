/** The faults that can be injected, each with the probability (0 to 1) that one request or message meets it. */
export interface FaultProbabilities {
  /** A request is refused with `RequestThrottled`, and has no effect. */
  readonly throttle: number;
  /** A request is refused with HTTP 500 `InternalFailure`, and has no effect. */
  readonly internalFailure: number;
  /** A request takes effect, but its connection is cut without an answer. */
  readonly lostResponse: number;
  /** A request has no effect, hangs for `timeoutMs` and is then cut. */
  readonly timeout: number;
  /** A received message stays visible, so that another receive gets it too. */
  readonly duplicate: number;
  /** A receive from a standard queue takes any of the first `reorderWindow` visible messages. */
  readonly reorder: number;
}

/** Which faults happen, and where. */
export interface FaultSettings extends FaultProbabilities {
  /** How long a request hangs that times out, in ms. Default 1,000. */
  readonly timeoutMs: number;
  /** From how many visible messages a reordered receive picks. Default 50. */
  readonly reorderWindow: number;
  /** Actions (`SendMessage`, ...) that meet no fault. Default none. */
  readonly exceptActions: readonly string[];
  /** Names of the queues that meet no fault. Default none. */
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
 * Seeded fault injection: the same seed and the same requests in the same order meet the same faults. Each kind of
 * fault draws from a sequence of its own, so that switching one on does not change the others.
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
   * Changes the settings named, at once; the others stay.
   *
   * @throws RangeError when a probability is not from 0 to 1.
   */
  set(settings: Partial<FaultSettings>): void {
    const next = { ...this.#settings, ...settings };
    for (const kind of [...requestFaults, "duplicate", "reorder"] as const) {
      if (!(next[kind] >= 0 && next[kind] <= 1)) {
        throw new RangeError(`fault "${kind}": a probability from 0 to 1 is wanted, got ${next[kind]}`);
      }
    }
    this.#settings = next;
  }

  /** Switches every fault off. */
  clear(): void {
    this.#settings = none;
  }

  /** The settings in force. */
  get settings(): FaultSettings {
    return this.#settings;
  }

  /** The fault that one request meets, if any. */
  ofRequest(action: string, queue: string | undefined): RequestFault | undefined {
    if (this.#excepts(action, queue)) return undefined;
    // Every kind draws, whatever the others gave: so their sequences stay in step with the requests.
    const met = requestFaults.filter((kind) => this.#happens(kind));
    return met[0];
  }

  /** Whether a message that is being received stays visible. */
  duplicates(queue: string): boolean {
    return !this.#excepts("ReceiveMessage", queue) && this.#happens("duplicate");
  }

  /** From how many visible messages a receive picks at random; undefined when it keeps their order. */
  reorderWindow(queue: string): number | undefined {
    if (this.#excepts("ReceiveMessage", queue) || !this.#happens("reorder")) return undefined;
    return this.#settings.reorderWindow;
  }

  /** `count` of the items, in random order. */
  pick<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const picked: T[] = [];
    while (picked.length < count && rest.length > 0) {
      picked.push(...rest.splice(Math.floor(this.#draws.pick() * rest.length), 1));
    }
    return picked;
  }

  #happens(kind: keyof FaultProbabilities): boolean {
    const probability = this.#settings[kind];
    return probability > 0 && this.#draws[kind]() < probability;
  }

  #excepts(action: string, queue: string | undefined): boolean {
    const { exceptActions, exceptQueues } = this.#settings;
    return exceptActions.includes(action) || (queue !== undefined && exceptQueues.includes(queue));
  }
}

/** Mulberry32: a small generator of numbers from 0 to 1, with 32 bits of state. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
