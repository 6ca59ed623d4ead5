import { Agent } from "node:http";
import { Agent as SecureAgent } from "node:https";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { CONNECTION_TIMEOUT_MILLISECONDS, REQUEST_TIMEOUT_MILLISECONDS } from "./timeouts.ts";

export interface RequestHandlerOptions {
  /** Connections to one host at most. Further requests wait for one, within their timeouts. Default 50, the SDK's. */
  readonly sockets?: number;
  /** Of a request that does not give its own. Default 5,000. */
  readonly requestTimeoutMilliseconds?: number;
  /** The time in milliseconds, which must go on while the environment is frozen. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * After a pause of this length the handler trusts none of its idle connections: the environment may have been frozen in
 * between, and a peer or a NAT gateway that dropped a connection during that time does not always say so.
 */
const LONGEST_IDLE_MILLISECONDS = 10_000;

type Handle = NodeHttpHandler["handle"];

/** What aborts a request. The SDK takes it in place of an `AbortSignal`, which would cost 5 % of a request's CPU time. */
class Abort {
  aborted = false;
  onabort: (() => void) | null = null;

  readonly fire = () => {
    this.aborted = true;
    this.onabort?.();
  };
}

/**
 * The SDK's request handler, with timeouts: no request waits for ever, neither for a connection, nor for an answer, nor
 * for the rest of an answer's body. After a timeout the next attempt goes over a new connection. Each client of the SDK
 * needs a handler of its own: its connections are no other client's.
 *
 * The SDK's own request timeout ends when the headers of an answer arrive. It also fires for a request whose answer has
 * arrived and was not read yet because a task blocked the event loop. Here the timeout covers the body, and an answer
 * that has arrived counts.
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
   * @throws {Error} `TimeoutError`, which the SDK tries again: there is no connection, or no answer, in time. A body that
   *   does not end in time fails with the same error.
   */
  override handle(...[request, options = {}]: Parameters<Handle>): ReturnType<Handle> {
    this.#dropConnectionsAfterPause();
    const { requestTimeout = this.#timeout } = options;
    const callers = options.abortSignal as AbortSignal | undefined;
    const abort = new Abort();
    callers?.addEventListener("abort", abort.fire, { once: true });
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
      // What arrived while the event loop was blocked is read before the next immediate.
      const timer = setTimeout(() => setImmediate(expire), requestTimeout);
      const end = () => {
        over = true;
        clearTimeout(timer);
        callers?.removeEventListener("abort", abort.fire);
      };
      if (callers?.aborted) abort.fire();
      // The SDK's own timeout is off: the one above stands for it.
      super.handle(request, { ...options, abortSignal: abort, requestTimeout: 0 }).then(
        (answer) => {
          body = answer.response.body as Readable;
          body.once("close", end);
          resolve(answer);
        },
        (error) => {
          end();
          // The cause of this failure has most likely closed the idle connections too.
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
  Object.assign(new Error(`no complete answer from ${host} within ${milliseconds} ms`), {
    name: "TimeoutError",
    code: "ETIMEDOUT",
  });
