import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { refuse } from "../access/refuse.ts";
import { requestCheck } from "../access/request-check.ts";
import { type InProcessHandler, inProcess } from "./in-process-handler.ts";
import type { Faults } from "./injected-faults.ts";
import type { QueueStore } from "./queue-store.ts";
import { SqsError } from "./sqs-error.ts";
import { limits } from "./sqs-limits.ts";
import { type Reply, SqsService, type SqsServiceOptions } from "./sqs-service.ts";

/** Options of the server. */
export interface SqsServerOptions extends SqsServiceOptions {
  /** The access key id that each request over HTTP must carry. */
  readonly accessKeyId: string;
  /** How long a client may take to send a whole request. A client sends it at once, unless it hangs. Default: 30,000. */
  readonly requestTimeoutMilliseconds?: number;
}

/** A running server. */
export interface SqsServer {
  /** `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  /** The queues, for callers in this process. */
  readonly store: QueueStore;
  readonly faults: Faults;
  /** A request handler for SDK clients in this process: their requests need not go over HTTP. */
  readonly requestHandler: InProcessHandler;
  /** The URL of a queue. */
  queueUrl(name: string): string;
  /** Ends all polls, closes all connections and closes the file. */
  close(): Promise<void>;
}

/** The last answer that was written to each connection, with the function that undoes its receives. */
type Undelivered = WeakMap<Socket, { readonly undo: () => void; readonly writtenAt: number }>;

const REQUEST_TIMEOUT_MILLISECONDS = 30_000;

// The reason for `abort`. Without a reason, each abort would create an error with a stack.
const GONE = "the client has gone";

// A client that was gone when its answer was written resets the connection at once. A later reset has another reason.
const resetWithinMs = 100;

// Enough for a body of 1 MiB in which JSON escapes every character, and for the attributes.
const longestRequestBytes = 16 * limits.messageBytes;

/**
 * Starts Sluice's own implementation of SQS on the loopback interface. It speaks the AWS JSON protocol over HTTP and
 * keeps its queues in a SQLite file.
 *
 * @throws Error The file cannot be opened.
 * @example const sqs = await startSqsServer({ file: ".sluice/sqs.db", accessKeyId: newAccessKeyId() });
 */
export async function startSqsServer(options: SqsServerOptions): Promise<SqsServer> {
  let endpoint = "";
  const queueUrl = (name: string) => `${endpoint}/000000000000/${name}`;
  const service = new SqsService(options, queueUrl);
  const { store, faults } = service;

  const check = requestCheck(options.accessKeyId);
  const undelivered: Undelivered = new WeakMap();
  const { requestTimeoutMilliseconds: requestTimeout = REQUEST_TIMEOUT_MILLISECONDS } = options;
  const timeouts = { requestTimeout, connectionsCheckingInterval: requestTimeout, keepAliveTimeout: 60_000 };
  const server = createServer(timeouts, (request, response) => {
    const refusal = check(request.headers);
    if (refusal !== undefined) return refuse(request, response, refusal);
    const gone = new AbortController();
    // A client that closes its side of the connection does not read an answer.
    const onEnd = () => gone.abort(GONE);
    request.socket.once("end", onEnd);
    response.once("close", () => {
      if (!response.writableFinished) gone.abort(GONE);
      request.socket.off("end", onEnd);
    });
    // The client sends another request on this connection, so it has received the answer to its previous request.
    undelivered.delete(request.socket);
    handle(request, response, { gone: gone.signal, undelivered, service }).catch(() => response.destroy());
  });
  server.on("connection", (socket) => {
    socket.once("close", (hadError) => {
      const last = undelivered.get(socket);
      if (hadError && last !== undefined && performance.now() - last.writtenAt < resetWithinMs) last.undo();
    });
  });
  try {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  } catch (error) {
    store.close();
    throw error;
  }
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
    store.close();
  };
  return {
    endpoint,
    store,
    faults,
    requestHandler: inProcess(service),
    queueUrl,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

interface Exchange {
  /** Fires when the client has gone. */
  readonly gone: AbortSignal;
  readonly undelivered: Undelivered;
  readonly service: SqsService;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { gone, undelivered, service }: Exchange,
): Promise<void> {
  const { "x-amz-target": target, "x-amzn-trace-id": trace } = request.headers;
  const headers = { target: target?.toString(), trace: trace?.toString() };
  const reply = await service.respond(headers, () => readBody(request), gone);
  if (reply === undefined) {
    response.destroy();
    return;
  }
  // Node notices that a client is gone when the event loop next checks the sockets.
  if (reply.undo !== undefined) for (let turn = 0; turn < 2; turn++) await nextTurn();
  if (gone.aborted) reply.undo?.();
  else write(response, reply, undelivered);
}

function write(response: ServerResponse, { status, headers, output, undo }: Reply, undelivered: Undelivered): void {
  if (undo !== undefined) {
    undelivered.set(response.req.socket, { undo, writtenAt: performance.now() });
    response.once("close", () => {
      if (!response.writableFinished) undo();
    });
  }
  if (response.destroyed) return;
  const body = JSON.stringify(output);
  response.writeHead(status, {
    ...headers,
    "content-type": "application/x-amz-json-1.0",
    "content-length": Buffer.byteLength(body),
    "x-amzn-requestid": crypto.randomUUID(),
  });
  response.end(body);
}

/** Reads the body of a request. Events are several times as fast as an async iterator. */
function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= longestRequestBytes) chunks.push(chunk);
      else {
        // The rest is read and dropped, because the client reads no answer before it has sent everything.
        chunks = [];
        reject(new SqsError("SerializationException", "The request is too long."));
      }
    });
    request.on("end", () => resolve(Buffer.concat(chunks).toString()));
    // This includes a client that goes away before it has sent everything.
    request.on("error", reject);
  });
}
