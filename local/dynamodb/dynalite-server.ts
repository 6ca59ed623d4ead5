import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import dynalite from "dynalite";
import { refuse } from "../access/refuse.ts";
import { requestCheck } from "../access/request-check.ts";
import { AcknowledgedLog } from "../integrity/acknowledged-log.ts";

export interface LocalDynamoDb {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** How to start DynamoDB. */
export interface LocalDynamoDbOptions {
  /** The directory of its tables. Default: in memory. */
  readonly path?: string;
  /** The file of the note of acknowledged writes, if there is a `path`. Default: no note is written. */
  readonly acknowledged?: string;
  /** The access key id that each request must carry. */
  readonly accessKeyId: string;
}

/** Starts DynamoDB (dynalite) on the loopback interface. It answers only requests that carry the key. */
export async function startDynamoDb({ path, acknowledged, accessKeyId }: LocalDynamoDbOptions): Promise<LocalDynamoDb> {
  const server = dynalite({ ...(path !== undefined && { path }), createTableMs: 0, deleteTableMs: 0 });
  // With Node's short default the server may close a connection just when a client sends a request on it.
  server.keepAliveTimeout = 60_000;
  server.requestTimeout = REQUEST_TIMEOUT_MILLISECONDS;
  guard(server, accessKeyId);
  const note = path === undefined || acknowledged === undefined ? undefined : new AcknowledgedLog(acknowledged, path);
  const requests = trackRequests(server, () => note?.acknowledge());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      // The callback is called when the tables are closed too. The event "close" comes earlier.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await requests.ended();
      server.closeAllConnections();
      await closed;
      note?.close();
    },
  };
}

/**
 * Checks each request before dynalite's own handler sees it. That handler accepts any signature, and its CORS headers
 * let the pages of every site read its answers.
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

/** How long a client may take to send a whole request. A client sends it at once, unless it hangs. */
const REQUEST_TIMEOUT_MILLISECONDS = 30_000;

/** How long closing waits for requests under way. The client of a request may be gone, and never send its body. */
const LONGEST_REQUEST_MILLISECONDS = 1_000;

/** The actions that only read. All others may write. */
const READS = /\.(GetItem|BatchGetItem|Query|Scan|Describe\w*|List\w*)$/;

/**
 * Counts the requests under way. A request that finds its tables closed throws an error that cannot be caught.
 *
 * @param onWrite Called before the answer of a request that may have written is sent.
 */
function trackRequests(server: Server, onWrite: () => void): { ended(): Promise<void> } {
  let underWay = 0;
  let onIdle = () => {};
  server.prependListener("request", (request: IncomingMessage, response: ServerResponse) => {
    underWay++;
    const mayWrite = !READS.test(String(request.headers["x-amz-target"]));
    const end = response.end.bind(response) as (...rest: unknown[]) => ServerResponse;
    response.end = (...rest: unknown[]) => {
      if (--underWay === 0) onIdle();
      if (mayWrite) onWrite();
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
