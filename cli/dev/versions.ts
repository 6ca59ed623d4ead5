import type { FromVersion, LoadedVersion, ReportedError, RequestedRun, VersionInput } from "./protocol.ts";
import type { StartVersion, VersionProcess } from "./version-process.ts";

/** How long attempts in flight may take to end when a new version replaces theirs. After that, they are handed back. */
const REPLACED_MILLISECONDS = 5_000;

export interface VersionsObserver {
  onLoaded(version: LoadedVersion): void;
  /** `goesOn`: an earlier version still works. */
  onBroken(error: ReportedError, broken: Extract<FromVersion, { type: "broken" }>, goesOn: boolean): void;
  /** A loaded version waits until the one before it has ended. */
  onReplacing(): void;
  onReady(): void;
  onFailed(error: ReportedError): void;
  /** No version can run: another command uses the state, for example. */
  onFatal(error: ReportedError): void;
  /** What a version tells of its runs. */
  onNews(message: Extract<FromVersion, { type: "message" | "begun" | "progress" | "ended" }>): void;
  onOutput(text: string): void;
}

/** The process of a version, and what it is told to do. */
interface Version {
  readonly process: VersionProcess;
  isReady: boolean;
  isStopping: boolean;
  hasFailed: boolean;
}

/**
 * The versions of the workflow. Each is a process, and at most one of them has an engine.
 *
 * - `candidate`: it bundles and loads. A later candidate replaces it. If it is broken, nothing else changes.
 * - `next`: it is loaded, and waits until `active` has ended.
 * - `active`: its engine starts, runs or stops. If it fails, nothing runs until there is another candidate.
 */
export class Versions {
  readonly #start: StartVersion;
  readonly #input: VersionInput;
  readonly #observer: VersionsObserver;
  #candidate: Version | undefined;
  #next: Version | undefined;
  #active: Version | undefined;
  /** Runs that have not ended, and runs that were requested while no engine was ready. */
  readonly #unfinished = new Set<string>();
  readonly #requested: RequestedRun[] = [];
  readonly #alive = new Set<Promise<string>>();
  #isClosing = false;

  constructor(input: VersionInput, observer: VersionsObserver, start: StartVersion) {
    this.#input = input;
    this.#observer = observer;
    this.#start = start;
  }

  /** The runs that have not ended. */
  get unfinished(): ReadonlySet<string> {
    return this.#unfinished;
  }

  /** Whether an engine works, or is about to. */
  get isRunning(): boolean {
    return this.#active !== undefined || this.#next !== undefined;
  }

  /** Whether the engine can start a run at once. */
  get isReady(): boolean {
    return this.#active?.isReady === true && !this.#active.isStopping;
  }

  /** Makes a version of the files as they are now. */
  load(variables: Readonly<Record<string, string | undefined>>): void {
    this.#candidate?.process.kill();
    const started: { version?: Version } = {};
    const process = this.#start(this.#input, variables, {
      onMessage: (message) => {
        if (started.version !== undefined) this.#onMessage(started.version, message);
      },
      onOutput: (text) => this.#observer.onOutput(text),
    });
    const version: Version = { process, isReady: false, isStopping: false, hasFailed: false };
    started.version = version;
    this.#candidate = version;
    this.#alive.add(process.ended);
    void process.ended.then((how) => {
      this.#alive.delete(process.ended);
      this.#onEnd(version, how);
    });
  }

  /** Starts a run now, or once an engine is ready. */
  request(run: RequestedRun): void {
    this.#unfinished.add(run.run);
    if (this.isReady) this.#active?.process.send({ type: "start", ...run });
    else this.#requested.push(run);
  }

  /** Ends all versions. Attempts in flight finish first. */
  async close(): Promise<void> {
    this.#isClosing = true;
    // No engine got their messages, so there is nothing to continue.
    for (const { run } of this.#requested.splice(0)) this.#unfinished.delete(run);
    this.#candidate?.process.kill();
    this.#next?.process.kill();
    if (this.#active !== undefined) {
      this.#active.isStopping = true;
      this.#active.process.send({ type: "stop" });
    }
    await Promise.all(this.#alive);
  }

  /** Ends all versions at once. */
  kill(): void {
    for (const version of [this.#candidate, this.#next, this.#active]) version?.process.kill();
  }

  #onMessage(version: Version, message: FromVersion): void {
    if (this.#isClosing && message.type !== "ended") return;
    switch (message.type) {
      case "loaded":
        if (version === this.#candidate) this.#onLoaded(version, message);
        return;
      case "broken":
        if (version !== this.#candidate) return;
        version.hasFailed = true;
        this.#candidate = undefined;
        this.#observer.onBroken(message.error, message, this.isRunning);
        return;
      case "ready":
        version.isReady = true;
        if (version.isStopping) return;
        for (const run of this.#requested.splice(0)) version.process.send({ type: "start", ...run });
        this.#observer.onReady();
        return;
      case "failed":
        if (version.hasFailed) return;
        version.hasFailed = true;
        version.isReady = false;
        this.#forgetRuns(version);
        this.#tellFailure(version, message);
        return;
      case "ended":
        this.#unfinished.delete(message.run);
        break;
      case "begun":
        this.#unfinished.add(message.run);
        break;
      default:
        break;
    }
    this.#observer.onNews(message);
  }

  #onLoaded(version: Version, message: LoadedVersion): void {
    this.#candidate = undefined;
    this.#next?.process.kill();
    this.#next = version;
    this.#observer.onLoaded(message);
    if (this.#active === undefined) {
      this.#promote();
      return;
    }
    this.#observer.onReplacing();
    if (this.#active.isStopping) return;
    this.#active.isStopping = true;
    this.#active.process.send({ type: "stop", milliseconds: REPLACED_MILLISECONDS });
  }

  #promote(): void {
    this.#active = this.#next;
    this.#next = undefined;
    const waiting = new Set(this.#requested.map(({ run }) => run));
    const expected = [...this.#unfinished].filter((run) => !waiting.has(run));
    this.#active?.process.send({ type: "run", expected });
  }

  #tellFailure(version: Version, { error, isFatal }: Extract<FromVersion, { type: "failed" }>): void {
    // A module of a candidate may throw after it was loaded, as an error that nobody awaits.
    if (version === this.#candidate || version === this.#next) {
      if (version === this.#candidate) this.#candidate = undefined;
      else this.#next = undefined;
      this.#observer.onFailed(error);
    } else if (isFatal) this.#observer.onFatal(error);
    else this.#observer.onFailed(error);
  }

  /** A run that was requested may never have begun. The next version finds those that have. */
  #forgetRuns(version: Version): void {
    if (version === this.#active) this.#unfinished.clear();
  }

  #onEnd(version: Version, how: string): void {
    const unexpected = { code: "ENGINE_ENDED", message: `the process of this version ended without a word (${how})` };
    const isLost = !version.isStopping && !version.hasFailed && !this.#isClosing;
    if (version === this.#candidate || version === this.#next) {
      if (version === this.#candidate) this.#candidate = undefined;
      else this.#next = undefined;
      if (isLost) this.#observer.onFailed(unexpected);
      return;
    }
    if (version !== this.#active) return;
    this.#active = undefined;
    if (this.#isClosing) return;
    if (isLost) this.#forgetRuns(version);
    if (this.#next !== undefined) this.#promote();
    else if (isLost) this.#observer.onFatal(unexpected);
  }
}
