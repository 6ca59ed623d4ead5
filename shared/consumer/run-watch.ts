import { isStopping, type RunRecord } from "../ledger/run-record.ts";
import type { Runs } from "../ledger/runs.ts";

/** What a run wants of its messages: to be worked on, put back, or dropped unrun. */
export type RunMode = "work" | "pause" | "drain";

/** An answer as old as this is asked for anew, while it still serves. */
const FRESH_MILLISECONDS = 1_000;

/** An answer older than this does not serve: a run that is paused or cancelled is noticed within it. */
const HOLDS_MILLISECONDS = 3_000;

/** Tasks of a run's first messages begin before their run is looked at: requests at once would hold them up. */
const LOOK_AFTER_MILLISECONDS = 50;

/** An invocation that finds so many runs known forgets them, and looks at those that are left. */
const MOST_RUNS = 100;

/** What is known of a run. All times are in the clock's milliseconds. */
interface Watched {
  /** What the latest look has found, and when it began. */
  answer?: { readonly at: number; readonly mode: RunMode; readonly pausedAt: number | undefined };
  /** A look under way, and when it began. */
  look?: { readonly at: number; readonly mode: Promise<RunMode> };
  /** Whether a look is about to begin. */
  isLookDue?: boolean;
  /** When the latest message was sent. */
  sentAt?: number;
  /** When its source was last known to be read. */
  producingAt?: number | undefined;
}

/**
 * Looks at the status of the runs whose messages a consumer has, now and then. One for a process: what an invocation has
 * found out serves the next, while it is fresh.
 */
export class RunWatch {
  readonly #runs: Pick<Runs, "find">;
  readonly #now: () => number;
  readonly #watched = new Map<string, Watched>();
  #begunAt = Number.NEGATIVE_INFINITY;

  constructor(runs: Pick<Runs, "find">, now: () => number) {
    this.#runs = runs;
    this.#now = now;
  }

  /**
   * Begins an invocation: an answer that is not fresh, or a look that began too long ago for one, serves none of its
   * messages. The environment may have stood still meanwhile, and the run have been stopped.
   */
  begin(): void {
    this.#begunAt = this.#now();
    for (const [run, watched] of this.#watched) if (this.#isOfNoUse(watched)) this.#watched.delete(run);
    if (this.#watched.size >= MOST_RUNS) this.#watched.clear();
  }

  /**
   * Takes it from a message's first delivery that its run was worked on when it was sent, a moment ago: a producer looks
   * at its run with each page. So the first tasks of a run need not wait for a look of their own. It is made meanwhile.
   */
  noteSent(run: string, at: number): void {
    const now = this.#now();
    const watched = this.#of(run);
    // The sender's clock may be ahead.
    watched.sentAt = Math.max(Math.min(at, now), watched.sentAt ?? 0);
    // One that was found stopped is not read any more, whatever it sent before.
    const isStopped = watched.answer !== undefined && watched.answer.mode !== "work";
    if (!isStopped && this.#servingMode(watched) === undefined) watched.producingAt = now;
  }

  /** @throws What the ledger throws: the message must come again. */
  async mode(run: string): Promise<RunMode> {
    const watched = this.#of(run);
    const mode = this.#servingMode(watched);
    if (mode !== undefined) {
      // Tasks need not wait for the new answer, as long as the old one serves.
      if (this.#age(watched.answer?.at) >= FRESH_MILLISECONDS) this.#lookBehind(run, watched);
      return mode;
    }
    // A run that was found stopped may have sent it before.
    const isWorkedOn = (watched.answer?.mode ?? "work") === "work" && this.#age(watched.sentAt) < FRESH_MILLISECONDS;
    if (!isWorkedOn) return await this.#look(run, watched);
    this.#lookSoon(run, watched);
    return "work";
  }

  /** For how long a run has been paused: 0 where it is not, as far as is known. */
  pausedMilliseconds(run: string): number {
    const { mode, pausedAt } = this.#watched.get(run)?.answer ?? {};
    if (mode !== "pause") return 0;
    // Code that noted no time paused it long ago.
    return pausedAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.#now() - pausedAt);
  }

  /** Whether the source of any of the runs was still being read when it was last looked at, a moment ago. */
  get producing(): boolean {
    for (const { producingAt } of this.#watched.values()) if (this.#age(producingAt) < HOLDS_MILLISECONDS) return true;
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

  #servingMode({ answer }: Watched): RunMode | undefined {
    const serves = answer !== undefined && this.#isOfThisInvocation(answer.at);
    return serves && this.#age(answer.at) < HOLDS_MILLISECONDS ? answer.mode : undefined;
  }

  #isOfThisInvocation(at: number): boolean {
    // What lies ahead was begun before the clock was set back.
    return at <= this.#now() && this.#begunAt - at < FRESH_MILLISECONDS;
  }

  /** That a run was found stopped is kept: a message that it sent before must not make it go on. */
  #isOfNoUse({ answer, look, sentAt, producingAt }: Watched): boolean {
    const isStopped = answer !== undefined && answer.mode !== "work";
    const times = [answer?.at, look?.at, sentAt, producingAt];
    return !isStopped && times.every((at) => this.#age(at) >= HOLDS_MILLISECONDS);
  }

  /** Should it fail, the next message asks again. */
  #lookBehind(run: string, watched: Watched): void {
    this.#look(run, watched).catch(() => {});
  }

  #lookSoon(run: string, watched: Watched): void {
    if (watched.isLookDue === true) return;
    watched.isLookDue = true;
    const look = () => {
      watched.isLookDue = false;
      this.#lookBehind(run, watched);
    };
    setTimeout(look, LOOK_AFTER_MILLISECONDS).unref();
  }

  #look(run: string, watched: Watched): Promise<RunMode> {
    const { look } = watched;
    if (look !== undefined && this.#isOfThisInvocation(look.at)) return look.mode;
    const at = this.#now();
    const mode = this.#runs.find(run).then((found) => this.#note(watched, at, found));
    const begun = { at, mode };
    watched.look = begun;
    const end = () => {
      if (watched.look === begun) delete watched.look;
    };
    mode.then(end, end);
    return mode;
  }

  /** A look that an earlier invocation began may come back after a later one. */
  #note(watched: Watched, at: number, run: RunRecord | undefined): RunMode {
    const mode = modeOf(run);
    if (watched.answer !== undefined && watched.answer.at > at) return mode;
    watched.answer = { at, mode, pausedAt: pausedAtOf(run) };
    const isProducing = run?.status === "running" && !run.checkpoint.ended;
    watched.producingAt = isProducing ? at : undefined;
    return mode;
  }

  // Of a time that lies ahead nothing is known: the clock was set back.
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
