import { Agent } from "node:http";
import { Agent as SecureAgent } from "node:https";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { CONNECTION_TIMEOUT_MILLISECONDS, REQUEST_TIMEOUT_MILLISECONDS } from "./timeouts.ts";

/** The options of `RequestHandler`. */
export interface RequestHandlerOptions {
  /**
   * The most connections to one host. Further requests wait for a free connection, and this wait is part of their
   * timeout. Default 50, as in the SDK.
   */
  readonly sockets?: number;
  /** The timeout of a request that has no timeout of its own. Default 5,000. */
  readonly requestTimeoutMilliseconds?: number;
  /** Returns the time in milliseconds. The clock must continue while the environment is frozen. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * After a pause of this length the handler closes its idle connections. During the pause, Lambda may have frozen the
 * environment, and a server or a NAT gateway may have dropped a connection without reporting it.
 */
const LONGEST_IDLE_MILLISECONDS = 10_000;

type Handle = NodeHttpHandler["handle"];

/**
 * A substitute for an `AbortSignal`, which the SDK accepts. An `AbortSignal` would take 5 % of a request's CPU time.
 */
class Abort {
  aborted = false;
  onabort: (() => void) | null = null;

  readonly fire = () => {
    this.aborted = true;
    this.onabort?.();
  };
}

/**
 * The SDK's request handler with timeouts. The timeout covers every wait of a request: for a connection, for a response
 * and for the rest of the response's body. After a timeout the next attempt uses a new connection. Each client of the
 * SDK needs its own handler, because the handler holds the client's connections.
 *
 * The SDK's own request timeout has two faults. First, it ends when the headers of a response arrive, so it does not
 * cover the body. Second, if a task blocks the event loop, it also fires for a response that has arrived and that Node
 * has not read yet. The timeout of this handler covers the body, and it does not fire for a response that has arrived.
 *
 * @example new SQSClient({ requestHandler: new RequestHandler() })
 */
export class RequestHandler extends NodeHttpHandler {
  readonly #agents: readonly (Agent | SecureAgent)[];
  readonly #timeout: number;
  readonly #now: () => number;
  #lastUse: number;

  constructor({ sockets = 50, requestTimeoutMilliseconds, now = Date.now }: RequestHandlerOptions = {}) {
    const httpAgent = new Agent({ keepAlive: true, maxSockets: sockets });
    const httpsAgent = new SecureAgent({ keepAlive: true, maxSockets: sockets });
    const requestTimeout = requestTimeoutMilliseconds ?? REQUEST_TIMEOUT_MILLISECONDS;
    super({
      httpAgent,
      httpsAgent,
      connectionTimeout: CONNECTION_TIMEOUT_MILLISECONDS,
      requestTimeout,
      throwOnRequestTimeout: true,
    });
    this.#agents = [httpAgent, httpsAgent];
    this.#timeout = requestTimeout;
    this.#now = now;
    this.#lastUse = now();
  }

  /**
   * Sends a request.
   *
   * @throws {Error} `TimeoutError`: there was no connection or no response in time. The SDK retries the request. If the
   *   body does not end in time, the stream of the body fails with the same error.
   */
  override handle(...[request, options = {}]: Parameters<Handle>): ReturnType<Handle> {
    this.#dropConnectionsAfterPause();
    const { requestTimeout = this.#timeout } = options;
    const callerSignal = options.abortSignal as AbortSignal | undefined;
    const abort = new Abort();
    callerSignal?.addEventListener("abort", abort.fire, { once: true });
    return new Promise((resolve, reject) => {
      let body: Readable | undefined;
      let over = false;
      const expire = () => {
        if (over) return;
        this.#dropIdleConnections();
        const error = timeoutError(request.hostname, requestTimeout);
        body?.destroy(error);
        reject(error);
        abort.fire();
      };
      // If the event loop was blocked, Node reads the data that has arrived before it runs this `setImmediate`
      // callback.
      const timer = setTimeout(() => setImmediate(expire), requestTimeout);
      const end = () => {
        over = true;
        clearTimeout(timer);
        callerSignal?.removeEventListener("abort", abort.fire);
      };
      if (callerSignal?.aborted) abort.fire();
      // `requestTimeout: 0` turns the SDK's own timeout off. The timer above replaces it.
      super.handle(request, { ...options, abortSignal: abort, requestTimeout: 0 }).then(
        (answer) => {
          body = answer.response.body as Readable;
          body.once("close", end);
          resolve(answer);
        },
        (error) => {
          end();
          // The cause of this failure has probably broken the idle connections as well.
          this.#dropIdleConnections();
          reject(error);
        },
      );
    });
  }

  #dropConnectionsAfterPause(): void {
    const now = this.#now();
    if (Math.abs(now - this.#lastUse) > LONGEST_IDLE_MILLISECONDS) this.#dropIdleConnections();
    this.#lastUse = now;
  }

  #dropIdleConnections(): void {
    for (const { freeSockets } of this.#agents) {
      for (const sockets of Object.values(freeSockets))
        for (const socket of (sockets ?? []) as Socket[]) socket.destroy();
    }
  }
}

const timeoutError = (host: string, milliseconds: number): Error =>
  Object.assign(new Error(`no complete response from ${host} within ${milliseconds} ms`), {
    name: "TimeoutError",
    code: "ETIMEDOUT",
  });
