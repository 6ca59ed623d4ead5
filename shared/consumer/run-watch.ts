import { isStopping, type RunRecord } from "../ledger/run-record.ts";
import type { RunStates } from "../ledger/run-states.ts";

/**
 * What must be done with the messages of a run.
 *
 * - `work`: their tasks run.
 * - `pause`: they return to the queue.
 * - `drain`: the run is being stopped, so they are dropped without an attempt.
 */
export type RunMode = "work" | "pause" | "drain";

/** If an answer is this old, the ledger is asked again. The old answer is used until the new one arrives. */
export const FRESH_MILLISECONDS = 1_000;

/** An answer that is this old is not used any more. So a paused or cancelled run is noticed within this time. */
export const VALID_MILLISECONDS = 3_000;

/** The first tasks of a run begin before the ledger is asked about the run, because requests would delay them. */
const ASK_AFTER_MILLISECONDS = 50;

/** If this many runs are known when an invocation begins, all of them are forgotten, so that memory stays bounded. */
const MOST_RUNS = 100;

/** What is known of a run. Times are in the clock's milliseconds. */
interface Watched {
  /** The latest answer of the ledger, and when its request began. */
  answer?: { readonly at: number; readonly mode: RunMode; readonly pausedAt: number | undefined };
  /** The request in flight, and when it began. */
  request?: { readonly at: number; readonly mode: Promise<RunMode> };
  /** Whether a request is about to begin. */
  isRequestDue?: boolean;
  /** When the newest of its messages was sent. */
  sentAt?: number;
  /** When its source was last known to be still being read. */
  producingAt?: number | undefined;
}

/**
 * Knows the mode of each run whose messages a consumer has, and asks the ledger from time to time. A process has one
 * watch. An invocation uses the answers of earlier invocations while they are fresh.
 */
export class RunWatch {
  readonly #runs: Pick<RunStates, "find">;
  readonly #now: () => number;
  readonly #onAnswer: (run: RunRecord) => void;
  readonly #watched = new Map<string, Watched>();
  #begunAt = Number.NEGATIVE_INFINITY;

  /** @param onAnswer Called with each run that the ledger returns. */
  constructor(runs: Pick<RunStates, "find">, now: () => number, onAnswer: (run: RunRecord) => void = () => {}) {
    this.#runs = runs;
    this.#now = now;
    this.#onAnswer = onAnswer;
  }

  /**
   * Begins an invocation. It uses only fresh answers of earlier invocations: the environment may have been frozen in between,
   * and the run may have been stopped in that time.
   */
  begin(): void {
    this.#begunAt = this.#now();
    for (const [run, watched] of this.#watched) if (this.#isObsolete(watched)) this.#watched.delete(run);
    if (this.#watched.size >= MOST_RUNS) this.#watched.clear();
  }

  /**
   * Notes when a message was sent that is received for the first time. A producer asks the ledger about its run before
   * each page, so the run was active then. If that was a moment ago, the first tasks of a run need not wait for a
   * request: the ledger is asked while they run.
   */
  noteSent(run: string, at: number): void {
    const now = this.#now();
    const watched = this.#of(run);
    // The clock of the sender may be ahead.
    watched.sentAt = Math.max(Math.min(at, now), watched.sentAt ?? 0);
    // The source of a stopped run is not read any more. The message was sent before the stop.
    const isStopped = watched.answer !== undefined && watched.answer.mode !== "work";
    if (!isStopped && this.#validMode(watched) === undefined) watched.producingAt = now;
  }

  /** Returns the mode of a run. @throws What the ledger throws: the message must be received again. */
  async mode(run: string): Promise<RunMode> {
    const watched = this.#of(run);
    const mode = this.#validMode(watched);
    if (mode !== undefined) {
      // Tasks do not wait for the new answer while the old one is valid.
      if (this.#age(watched.answer?.at) >= FRESH_MILLISECONDS) this.#askInBackground(run, watched);
      return mode;
    }
    // A message of a stopped run may have been sent before the stop.
    const isAtWork = (watched.answer?.mode ?? "work") === "work" && this.#age(watched.sentAt) < FRESH_MILLISECONDS;
    if (!isAtWork) return await this.#ask(run, watched);
    this.#askSoon(run, watched);
    return "work";
  }

  /** How long a run has been paused: 0 if it is not paused, as far as is known. */
  pausedMilliseconds(run: string): number {
    const { mode, pausedAt } = this.#watched.get(run)?.answer ?? {};
    if (mode !== "pause") return 0;
    // An earlier version of Sluice stored no time. The pause then began long ago.
    return pausedAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.#now() - pausedAt);
  }

  /** Whether the source of any of the runs was still being read a moment ago. */
  get isProducing(): boolean {
    for (const { producingAt } of this.#watched.values()) if (this.#age(producingAt) < VALID_MILLISECONDS) return true;
    return false;
  }

  #of(run: string): Watched {
    let watched = this.#watched.get(run);
    if (watched === undefined) {
      watched = {};
      this.#watched.set(run, watched);
    }
    return watched;
  }

  #validMode({ answer }: Watched): RunMode | undefined {
    const isUsable = answer !== undefined && this.#isOfThisInvocation(answer.at);
    return isUsable && this.#age(answer.at) < VALID_MILLISECONDS ? answer.mode : undefined;
  }

  #isOfThisInvocation(at: number): boolean {
    // A time in the future is from before the clock was set back.
    return at <= this.#now() && this.#begunAt - at < FRESH_MILLISECONDS;
  }

  /** Whether nothing known of a run can be used. A stop is kept: a message that was sent before it must not restart the run. */
  #isObsolete({ answer, request, sentAt, producingAt }: Watched): boolean {
    const isStopped = answer !== undefined && answer.mode !== "work";
    const times = [answer?.at, request?.at, sentAt, producingAt];
    return !isStopped && times.every((at) => this.#age(at) >= VALID_MILLISECONDS);
  }

  /** If the request fails, the next message asks again. */
  #askInBackground(run: string, watched: Watched): void {
    this.#ask(run, watched).catch(() => {});
  }

  #askSoon(run: string, watched: Watched): void {
    if (watched.isRequestDue === true) return;
    watched.isRequestDue = true;
    const ask = () => {
      watched.isRequestDue = false;
      this.#askInBackground(run, watched);
    };
    setTimeout(ask, ASK_AFTER_MILLISECONDS).unref();
  }

  #ask(run: string, watched: Watched): Promise<RunMode> {
    const { request } = watched;
    if (request !== undefined && this.#isOfThisInvocation(request.at)) return request.mode;
    const at = this.#now();
    const mode = this.#runs.find(run).then((found) => this.#note(watched, at, found));
    const begun = { at, mode };
    watched.request = begun;
    const end = () => {
      if (watched.request === begun) delete watched.request;
    };
    mode.then(end, end);
    return mode;
  }

  /** Keeps an answer. The answer to a request of an earlier invocation may arrive after a newer one. */
  #note(watched: Watched, at: number, run: RunRecord | undefined): RunMode {
    const mode = modeOf(run);
    if (run !== undefined) this.#onAnswer(run);
    if (watched.answer !== undefined && watched.answer.at > at) return mode;
    watched.answer = { at, mode, pausedAt: pausedAtOf(run) };
    const isProducing = run?.status === "running" && !run.checkpoint.ended;
    watched.producingAt = isProducing ? at : undefined;
    return mode;
  }

  /** How old a time is. A time in the future is useless, because the clock was set back. Its age is infinite. */
  #age(at: number | undefined): number {
    const age = at === undefined ? -1 : this.#now() - at;
    return age < 0 ? Number.POSITIVE_INFINITY : age;
  }
}

const pausedAtOf = (run: RunRecord | undefined): number | undefined =>
  run?.status === "paused" && run.pausedAt !== undefined ? Date.parse(run.pausedAt) : undefined;

function modeOf(run: RunRecord | undefined): RunMode {
  if (run === undefined) return "work";
  if (run.status === "paused") return "pause";
  return isStopping(run) ? "drain" : "work";
}
