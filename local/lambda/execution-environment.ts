import { type ChildProcess, spawn } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { channelStdio, PrivateChannel } from "../../shared/base/private-channel.ts";
import { functionFlags } from "./function-flags.ts";
import type { Activity, FromEnvironment, Invocation } from "./runtime-protocol.ts";
import type { Watchdog } from "./watchdog.ts";

/** How a function runs. */
export interface FunctionConfiguration {
  readonly name: string;
  /** The path of the bundled handler. */
  readonly bundle: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly variables: Readonly<Record<string, string>>;
  /** The file descriptor of its log. */
  readonly log: number;
  /** Kills its environments if the engine is killed. Without it, environments are not frozen. */
  readonly watchdog?: Watchdog;
}

/** How an invocation ended. After `crashed` and `timed out` the environment has ended too. */
export type InvocationOutcome =
  | { readonly tag: "returned"; readonly result: unknown }
  | { readonly tag: "threw" | "crashed" | "timed out"; readonly error: string };

export interface EnvironmentObserver {
  readonly onActivity: (activity: Activity) => void;
  readonly onPeakMemory: (megabytes: number) => void;
}

const ENTRY = fileURLToPath(new URL(`./runtime${extname(import.meta.url)}`, import.meta.url));

/** One execution environment of a function: a child process. */
export class ExecutionEnvironment {
  readonly #configuration: FunctionConfiguration;
  readonly #observer: EnvironmentObserver;
  readonly #process: ChildProcess;
  /** Absent if the process could not be started. */
  readonly #channel: PrivateChannel | undefined;
  readonly #ready: Promise<void>;
  readonly #exited: Promise<string>;
  #onAnswer: ((message: Extract<FromEnvironment, { type: "result" | "error" }>) => void) | undefined;
  #alive = true;
  #isShutDown = false;
  #inFlight = 0;
  #isReading = false;

  constructor(configuration: FunctionConfiguration, observer: EnvironmentObserver) {
    this.#configuration = configuration;
    this.#observer = observer;
    const { bundle, log, memoryMb, variables, watchdog } = configuration;
    const flags = [...functionFlags(memoryMb), "--no-warnings"];
    this.#process = spawn(process.execPath, [...flags, ENTRY, bundle], {
      env: { ...process.env, ...variables },
      stdio: [...channelStdio(log)],
      // The environment and the processes that it forks for isolated attempts form a process group, and end together.
      detached: true,
    });
    const { pid } = this.#process;
    if (pid !== undefined) watchdog?.watch(pid);
    const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
    this.#ready = ready;
    this.#exited = new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => {
        this.#alive = false;
        // A process that this environment forked may be in an endless loop, and then does not notice the end of its
        // parent.
        this.#killGroup();
        if (pid !== undefined) watchdog?.forget(pid);
        if (this.#inFlight > 0 || this.#isReading) this.#reportIdle();
        resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
      });
      this.#process.once("error", (error) => {
        // The process could not be started.
        if (pid === undefined) this.#alive = false;
        resolve(error.message);
      });
    });
    if (pid === undefined) return;
    this.#channel = PrivateChannel.toChild(this.#process);
    this.#channel.onMessage((received) => {
      const message = received as FromEnvironment;
      if (message.type === "ready") onReady();
      else if (message.type === "activity") this.#reportActivity(message);
      else this.#onAnswer?.(message);
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Resolves when the handler is loaded. If the environment ended before that, resolves with how it ended. */
  async started(): Promise<string | undefined> {
    return await Promise.race([this.#ready.then(() => undefined), this.#exited]);
  }

  /** Runs one event. Never rejects. */
  async invoke(event: unknown, requestId: string, trace?: string): Promise<InvocationOutcome> {
    const { name, timeoutSeconds, memoryMb } = this.#configuration;
    await this.started();
    if (!this.#alive) return { tag: "crashed", error: `it ended before its first invocation: ${await this.#exited}` };
    this.#signalGroup("SIGCONT");
    // Its bundle was not loaded yet when the signal was sent.
    if (this.#isShutDown) this.shutDown();
    const { promise: answered, resolve: onAnswer } = Promise.withResolvers<InvocationOutcome>();
    this.#onAnswer = (message) => {
      if (message.requestId !== requestId) return;
      this.#observer.onPeakMemory(message.peakMemoryMb);
      onAnswer(
        message.type === "result"
          ? { tag: "returned", result: message.result }
          : { tag: "threw", error: message.error },
      );
    };
    const timeoutMilliseconds = timeoutSeconds * 1_000;
    const timer = setTimeout(() => {
      onAnswer({ tag: "timed out", error: `the invocation took longer than ${timeoutSeconds} s` });
      this.kill();
    }, timeoutMilliseconds);
    try {
      const invocation: Invocation = {
        type: "invoke",
        requestId,
        functionName: name,
        timeoutMilliseconds,
        memoryMb,
        event,
        ...(trace !== undefined && { trace }),
      };
      // Sending to a process that ends just now fails. Its exit is reported below.
      this.#channel?.send(invocation);
      const crashed = this.#exited.then((error): InvocationOutcome => ({ tag: "crashed", error }));
      return await Promise.race([answered, crashed]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells the handler, with SIGTERM, that the process is about to end. The handler still answers its invocation. */
  shutDown(): void {
    this.#isShutDown = true;
    this.#process.kill("SIGTERM");
  }

  kill(): void {
    this.#alive = false;
    this.#killGroup();
  }

  /**
   * Stops the environment and the processes that it forked until its next invocation, as Lambda does. Timers do not fire
   * in that time, and a connection that its other end closes stays open here.
   * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
   */
  freeze(): void {
    // A frozen process does not notice that the engine was killed. The watchdog kills it.
    if (this.#configuration.watchdog?.isWatching === true) this.#signalGroup("SIGSTOP");
  }

  #killGroup(): void {
    this.#signalGroup("SIGKILL");
  }

  #signalGroup(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The process group has ended.
    }
  }

  /** Resolves when the process has ended. */
  async gone(): Promise<void> {
    await this.#exited;
  }

  #reportActivity(activity: Activity): void {
    this.#inFlight = activity.inFlight;
    this.#isReading = activity.readingSince !== undefined;
    this.#observer.onPeakMemory(activity.peakMemoryMb);
    this.#observer.onActivity(activity);
  }

  // The attempts and the read that were under way have ended with the process.
  #reportIdle(): void {
    this.#reportActivity({
      type: "activity",
      inFlight: 0,
      peakInFlight: this.#inFlight,
      succeeded: 0,
      retried: 0,
      throttled: 0,
      deadByReason: {},
      peakMemoryMb: 0,
    });
  }
}
