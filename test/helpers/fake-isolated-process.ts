import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { duplexPair } from "node:stream";
import { vi } from "vitest";

/** In place of the process of an isolated attempt, and of the `ChildProcess` that stands for it. */
export class FakeIsolatedProcess extends EventEmitter {
  readonly pid: number | undefined;
  readonly stdio: readonly unknown[];
  readonly kill = vi.fn();
  /** The messages that the consumer has sent to the process. */
  readonly received: unknown[] = [];
  readonly #stream;
  readonly #secret = Promise.withResolvers<string>();

  constructor(pid: number | undefined = 0) {
    super();
    this.pid = pid;
    const [ours, theirs] = duplexPair();
    this.stdio = [null, null, null, theirs];
    this.#stream = ours;
    let secret: string | undefined;
    ours.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.split("\n").filter((each) => each !== "")) {
        if (secret === undefined) {
          secret = line;
          this.#secret.resolve(line);
        } else {
          this.received.push(JSON.parse(line.slice(secret.length)));
          this.emit("received");
        }
      }
    });
  }

  /** Sends a message to the consumer, and waits until it has arrived. */
  async say(message: unknown): Promise<void> {
    this.#stream.write(`\n${(await this.#secret.promise) + JSON.stringify(message)}\n`);
    await turns();
  }

  /** Ends the process. Everything that it said has been read. */
  async end(code: number | null, signal: NodeJS.Signals | null = null): Promise<void> {
    this.emit("close", code, signal);
    await turns();
  }
}

/** Starts a process in which each attempt succeeds. It needs no time, unlike a real process on a busy machine. */
export function spawnSucceeding(): ChildProcess {
  const child = new FakeIsolatedProcess();
  child.once("received", () => void child.say({ tag: "succeeded" }));
  void child.say({ tag: "ready" });
  return child as unknown as ChildProcess;
}

/** Lets streams and promises go on. Fake timers must leave `setImmediate` as it is. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
