import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import dynalite from "dynalite";
import { refuse } from "../access/refuse.ts";
import { requestCheck } from "../access/request-check.ts";

export interface LocalDynamoDb {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** How to start DynamoDB. */
export interface LocalDynamoDbOptions {
  /** Where it keeps its tables; in memory by default. */
  readonly path?: string;
  /** The access key id that each request must carry. */
  readonly accessKeyId: string;
}

/** Starts DynamoDB (dynalite) on the loopback interface. It answers only who knows its key. */
export async function startDynamoDb({ path, accessKeyId }: LocalDynamoDbOptions): Promise<LocalDynamoDb> {
  const server = dynalite({ ...(path !== undefined && { path }), createTableMs: 0, deleteTableMs: 0 });
  // Left alone it would close a connection in the moment in which a client sends on it.
  server.keepAliveTimeout = 60_000;
  server.requestTimeout = REQUEST_TIMEOUT_MILLISECONDS;
  guard(server, accessKeyId);
  const requests = trackRequests(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      // Its callback comes when the tables are closed too; the event "close" comes before.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await requests.ended();
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * Puts a check before dynalite's own handler, which takes any signature, and lets the pages of every site read what it
 * answers.
 */
function guard(server: Server, accessKeyId: string): void {
  const check = requestCheck(accessKeyId);
  const [handle] = server.listeners("request");
  if (handle === undefined) throw new Error("dynalite handles no requests");
  server.removeAllListeners("request");
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const refusal = check(request.headers);
    if (refusal === undefined) handle(request, response);
    else refuse(request, response, refusal);
  });
}

/** How long a client may take to send a whole request. One is sent at once, unless its client hangs. */
const REQUEST_TIMEOUT_MILLISECONDS = 30_000;

/** For the longest of requests, whose client may be gone: one whose body never came would never end. */
const LONGEST_REQUEST_MILLISECONDS = 1_000;

/** Follows the requests under way: one that finds its tables closed throws where nobody can catch it. */
function trackRequests(server: Server): { ended(): Promise<void> } {
  let underWay = 0;
  let onIdle = () => {};
  server.prependListener("request", (_, response: ServerResponse) => {
    underWay++;
    const end = response.end.bind(response) as (...rest: unknown[]) => ServerResponse;
    response.end = (...rest: unknown[]) => {
      if (--underWay === 0) onIdle();
      return end(...rest);
    };
  });
  return {
    async ended() {
      if (underWay === 0) return;
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      await Promise.race([idle, setTimeout(LONGEST_REQUEST_MILLISECONDS)]);
    },
  };
}
