import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * The file descriptor of the channel in a child process. Not the IPC channel of Node: user code in the process can send
 * on that one, disconnect it and remove its listeners, and a line that is not JSON ends the parent.
 */
export const CHANNEL_DESCRIPTOR = 3;

/** What a child process is spawned with, so that it has the channel. Its output goes to the given descriptors. */
export const channelStdio = (output: number | "inherit" | "ignore") => ["ignore", output, output, "pipe"] as const;

const SECRET_BYTES = 16;
const SECRET_LENGTH = 2 * SECRET_BYTES;

/**
 * A channel between a process and its child, for messages of Sluice alone: lines of JSON over a socket pair.
 *
 * Each line begins with a secret that the parent makes for this child. The parent ignores all other lines, so what user
 * code in the child writes to the descriptor by accident changes nothing. It protects from accidents, and not from
 * attacks: the task runs in the same process as the channel.
 */
export class PrivateChannel {
  readonly #stream: Duplex;
  #secret: string | undefined;
  #onSecret: (() => void) | undefined;
  #onMessage: ((message: unknown) => void) | undefined;
  readonly #early: unknown[] = [];
  #onClose: (() => void) | undefined;
  #isClosed = false;
  /** The end of what was read, which is not a whole line yet. */
  #rest: string[] = [];
  #restLength = 0;
  /** Whether the line that is being read is not of ours. */
  #skips = false;

  private constructor(stream: Duplex, secret: string | undefined) {
    this.#stream = stream;
    this.#secret = secret;
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => this.#read(text));
    // Its `close` follows.
    stream.on("error", () => {});
    stream.once("close", () => {
      this.#isClosed = true;
      this.#onClose?.();
    });
  }

  /** The parent's side of a child that was spawned with `channelStdio`. */
  static toChild(child: { readonly stdio: readonly unknown[] }): PrivateChannel {
    const secret = randomBytes(SECRET_BYTES).toString("hex");
    const channel = new PrivateChannel(child.stdio[CHANNEL_DESCRIPTOR] as Duplex, secret);
    channel.#write(secret);
    return channel;
  }

  /** The child's side, once the parent's secret has come. To be made before any task runs. */
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

  /** Takes the messages of the other side, from now on and those that came before anything took them. */
  onMessage(listener: (message: unknown) => void): void {
    this.#onMessage = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  /** Called once when the other side is gone: at once if it is already. */
  onClose(listener: () => void): void {
    this.#onClose = listener;
    if (this.#isClosed) listener();
  }

  /**
   * Sends a message. One to a process that is gone is lost.
   *
   * @param sent Called when it has left this process, or could not.
   */
  send(message: unknown, sent: () => void = () => {}): void {
    this.#write((this.#secret ?? "") + JSON.stringify(message), sent);
  }

  // A line break before it, too: what user code wrote to the descriptor may have no end.
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
    // A line that is not of ours is not kept until its end: it may have none.
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

/** `undefined` where user code wrote into the middle of a line. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
