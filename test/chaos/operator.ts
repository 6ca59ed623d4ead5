/** Consumers put the messages of a paused run back for a minute. They may do so shortly after the pause, too. */
const PAUSED_MESSAGES_MILLISECONDS = 61_000;
const PAUSE_FORGOTTEN_MILLISECONDS = 4_000;

/** A command that a person gives. */
export type OperatorCommand = "cancel" | "pause" | "resume";

export interface OperatorOptions {
  /** A clock in milliseconds that is never set. */
  readonly now: () => number;
  /** Sets the clock of the queues forward. */
  readonly skip: (milliseconds: number) => void;
}

/** The person who cancels the run of a plan, or pauses and resumes it. The harness executes the commands. */
export class Operator {
  readonly #options: OperatorOptions;
  #wanted: OperatorCommand | undefined;
  #resumeAt: number | undefined;
  #skipAt: number | undefined;
  #hasCancelled = false;
  #mustResumeAgain = false;
  /** When each pause began, and when it ended. */
  readonly pauses: { readonly from: number; to: number }[] = [];

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** The command to execute now. It stays the same until `executed` is called for it. */
  get wanted(): OperatorCommand | undefined {
    return this.#wanted;
  }

  get hasCancelled(): boolean {
    return this.#hasCancelled;
  }

  /** @returns false if another command is being executed. */
  cancel(): boolean {
    if (this.#wanted !== undefined) return false;
    this.#hasCancelled = true;
    this.#wanted = "cancel";
    return true;
  }

  /** @returns false if another command is being executed. A run that was cancelled is not paused. */
  pause(milliseconds: number): boolean {
    if (this.#hasCancelled) return true;
    if (this.#wanted !== undefined) return false;
    this.#wanted = "pause";
    this.#resumeAt = this.#options.now() + milliseconds;
    return true;
  }

  /** Resumes a run whose source has failed too often. It may fail again before the command that resumes it has ended. */
  resumeFailed(): void {
    this.#mustResumeAgain = this.#wanted === "resume";
    this.#wanted ??= "resume";
  }

  /** Ends a pause when its time is over. Called often. */
  look(): void {
    const { now, skip } = this.#options;
    if (this.#resumeAt !== undefined && now() > this.#resumeAt) {
      this.#resumeAt = undefined;
      const pause = this.pauses.at(-1);
      if (pause !== undefined) pause.to = now();
      this.#wanted = "resume";
    }
    if (this.#skipAt === undefined || now() <= this.#skipAt) return;
    this.#skipAt = undefined;
    skip(PAUSED_MESSAGES_MILLISECONDS);
  }

  /**
   * A command was executed.
   *
   * @param hasPaused Whether it has paused the run.
   */
  executed(command: OperatorCommand, hasPaused: boolean): void {
    // The person wants something else by now, because the command took so long.
    if (command !== this.#wanted) return;
    this.#wanted = this.#mustResumeAgain ? "resume" : undefined;
    this.#mustResumeAgain = false;
    const now = this.#options.now();
    if (hasPaused) this.pauses.push({ from: now, to: Number.POSITIVE_INFINITY });
    // The messages that were put back during the pause would stay hidden for a minute.
    if (command === "resume") this.#skipAt = now + PAUSE_FORGOTTEN_MILLISECONDS;
  }
}
