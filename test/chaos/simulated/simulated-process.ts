import { setTimeout } from "node:timers/promises";
import type { Entry, Line } from "../journal.ts";

export type Role = "engine" | "producer" | "consumer" | "isolated";

/** What happened to a process that ended. */
export type ProcessEnd = "exit code 1" | "signal SIGKILL";

/** The lines that the simulated processes write. */
export class SimulatedJournal {
  readonly lines: Line[] = [];
  readonly #now: () => number;
  onLine: (line: Line) => void = () => {};

  constructor(now: () => number) {
    this.#now = now;
  }

  write(pid: number, entry: Entry): void {
    const line = { ...entry, pid, milliseconds: this.#now() } as Line;
    this.lines.push(line);
    this.onLine(line);
  }
}

const never = <Value>(): Promise<Value> => new Promise<Value>(() => {});

let pids = 0;

/**
 * A process of a simulated run. All simulated processes live in one real process, so code of a killed process continues to
 * run. But nothing that it does has an effect: its requests are not sent, no answer reaches it, and its journal is closed.
 */
export class SimulatedProcess {
  readonly pid = ++pids;
  readonly role: Role;
  readonly #journal: SimulatedJournal;
  readonly #gone = new AbortController();
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  #isBlocked = false;
  #frozenUntil: Promise<unknown> | undefined;
  /** Whether the process has read a page of the source in its present invocation. */
  hasRead = false;
  /** Whether it has changed the visibility of a message, as a producer does when it begins to work on the message. */
  hasChangedVisibility = false;

  constructor(role: Role, journal: SimulatedJournal) {
    this.role = role;
    this.#journal = journal;
    this.write({ type: "process", role });
  }

  /** Fires when the process ends. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Resolves when the process ends. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended.promise;
  }

  get isAlive(): boolean {
    return !this.#gone.signal.aborted;
  }

  write(entry: Entry): void {
    if (!this.isAlive || this.#isBlocked) return;
    if (entry.type === "read") this.hasRead = true;
    this.#journal.write(this.pid, entry);
  }

  beginInvocation(): void {
    this.hasRead = false;
    this.hasChangedVisibility = false;
  }

  kill(): void {
    this.#end("signal SIGKILL");
  }

  exit(): Promise<never> {
    this.write({ type: "exit" });
    this.#end("exit code 1");
    return never();
  }

  /** Blocks the process for ever, as an endless loop does. It stays alive. */
  block(): Promise<never> {
    this.#isBlocked = true;
    return never();
  }

  /** Holds the process's requests and their answers back for a time. Its own timers go on: they are those of the whole simulation. */
  freezeRequests(milliseconds: number): void {
    this.#frozenUntil = setTimeout(milliseconds);
  }

  /** Sends a request for the process. If the process is gone by then, nothing is sent, and no answer comes back. */
  async send<Answer>(request: () => Promise<Answer>): Promise<Answer> {
    if (this.#frozenUntil !== undefined) await this.#frozenUntil;
    if (this.#isSilent) return await never();
    try {
      const answer = await request();
      if (this.#frozenUntil !== undefined) await this.#frozenUntil;
      return this.#isSilent ? await never<Answer>() : answer;
    } catch (error) {
      if (this.#isSilent) return await never();
      throw error;
    }
  }

  get #isSilent(): boolean {
    return this.#isBlocked || !this.isAlive;
  }

  #end(how: ProcessEnd): void {
    if (!this.isAlive) return;
    this.#gone.abort();
    this.#ended.resolve(how);
  }
}
