import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * The file descriptor of the channel in a child process. Sluice does not use Node's own IPC channel. User code in the
 * child can send on that channel, disconnect it and remove its listeners, and a line that is not JSON crashes the
 * parent.
 */
export const CHANNEL_DESCRIPTOR = 3;

/** The `stdio` option for a child process with the channel. The child's output goes to the given descriptor. */
export const channelStdio = (output: number | "inherit" | "ignore") => ["ignore", output, output, "pipe"] as const;

const SECRET_BYTES = 16;
const SECRET_LENGTH = 2 * SECRET_BYTES;

/**
 * A channel between a process and its child that only Sluice uses. Each message is a line of JSON on a socket pair.
 *
 * Each line begins with a secret that the parent creates for this child. The parent ignores all other lines. So a text
 * that user code in the child writes to the descriptor by accident has no effect. The secret does not protect against
 * attacks, because the task runs in the same process as the channel.
 */
export class PrivateChannel {
  readonly #stream: Duplex;
  #secret: string | undefined;
  #onSecret: (() => void) | undefined;
  #onMessage: ((message: unknown) => void) | undefined;
  readonly #early: unknown[] = [];
  #onClose: (() => void) | undefined;
  #isClosed = false;
  /** The parts of the last line, which is not complete yet. */
  #rest: string[] = [];
  #restLength = 0;
  /** Whether the line that is being read is not a message of Sluice, and is skipped. */
  #skips = false;

  private constructor(stream: Duplex, secret: string | undefined) {
    this.#stream = stream;
    this.#secret = secret;
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => this.#read(text));
    // A `close` event follows each error.
    stream.on("error", () => {});
    stream.once("close", () => {
      this.#isClosed = true;
      this.#onClose?.();
    });
  }

  /** Creates the parent's side of the channel, for a child that was spawned with `channelStdio`. */
  static toChild(child: { readonly stdio: readonly unknown[] }): PrivateChannel {
    const secret = randomBytes(SECRET_BYTES).toString("hex");
    const channel = new PrivateChannel(child.stdio[CHANNEL_DESCRIPTOR] as Duplex, secret);
    channel.#write(secret);
    return channel;
  }

  /** Creates the child's side and waits for the parent's secret. Call it before any task runs. */
  static async toParent(): Promise<PrivateChannel> {
    const channel = new PrivateChannel(
      new Socket({ fd: CHANNEL_DESCRIPTOR, readable: true, writable: true }),
      undefined,
    );
    await new Promise<void>((resolve) => {
      channel.#onSecret = resolve;
    });
    return channel;
  }

  /**
   * Sets the listener for messages of the other side. The listener also receives the messages that have arrived
   * already.
   */
  onMessage(listener: (message: unknown) => void): void {
    this.#onMessage = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  /**
   * Sets the listener that is called once when the other process has ended. If that process has ended already, the
   * listener is called at once.
   */
  onClose(listener: () => void): void {
    this.#onClose = listener;
    if (this.#isClosed) listener();
  }

  /**
   * Sends a message. The message is lost if the other process has ended.
   *
   * @param sent Called when the message has left this process, or cannot leave it.
   */
  send(message: unknown, sent: () => void = () => {}): void {
    this.#write((this.#secret ?? "") + JSON.stringify(message), sent);
  }

  // A line break also precedes the line, because user code can have written a text without a line break to the
  // descriptor.
  #write(line: string, sent?: () => void): void {
    if (this.#isClosed) sent?.();
    else this.#stream.write(`\n${line}\n`, sent);
  }

  #read(text: string): void {
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      if (!this.#skips) this.#readLine(this.#rest.join("") + text.slice(start, end));
      this.#skips = false;
      this.#drop();
      start = end + 1;
    }
    if (this.#skips) return;
    const wasShort = this.#restLength < SECRET_LENGTH;
    this.#rest.push(text.slice(start));
    this.#restLength += text.length - start;
    // Do not store a line that is not a message of Sluice: it may have no end.
    if (this.#secret === undefined || !wasShort) return;
    this.#skips = !this.#secret.startsWith(this.#rest.join("").slice(0, SECRET_LENGTH));
    if (this.#skips) this.#drop();
  }

  #drop(): void {
    this.#rest = [];
    this.#restLength = 0;
  }

  #readLine(line: string): void {
    if (line === "") return;
    if (this.#secret === undefined) {
      this.#secret = line;
      this.#onSecret?.();
      return;
    }
    const message = line.startsWith(this.#secret) ? parsed(line.slice(SECRET_LENGTH)) : undefined;
    if (message === undefined) return;
    if (this.#onMessage === undefined) this.#early.push(message);
    else this.#onMessage(message);
  }
}

/** The parsed message, or `undefined` if user code wrote into the middle of the line. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
