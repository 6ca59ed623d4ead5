import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Answer, actions } from "./actions.ts";
import { SqsError } from "./errors.ts";
import { Faults } from "./faults.ts";
import { type Input, parseInput } from "./requests.ts";
import { QueueStore } from "./store.ts";

/** How to start the server. */
export interface SqsServerOptions {
  /** The SQLite file that holds the queues, or `:memory:`. */
  readonly file: string;
  /** A free port by default. */
  readonly port?: number;
  /** Milliseconds since 1970; `Date.now` by default. */
  readonly clock?: () => number;
  /** Faults to inject; none by default. */
  readonly faults?: Faults;
  /** Memory for pages of the file; 64 MiB by default. */
  readonly cacheMegabytes?: number;
}

/** A running server. */
export interface SqsServer {
  /** `http://127.0.0.1:<port>`. */
  readonly endpoint: string;
  /** The queues, for callers in this process. */
  readonly store: QueueStore;
  readonly faults: Faults;
  /** The URL of a queue. */
  queueUrl(name: string): string;
  /** Ends all polls and connections and closes the file. */
  close(): Promise<void>;
}

/** What was last written to each connection, and how to take it back. */
type Undelivered = WeakMap<Socket, { readonly undo: () => void; readonly writtenAt: number }>;

// A client that had gone when its answer was written resets the connection at once. A later reset has another reason.
const resetWithinMs = 100;

// A body of 1 MiB in which every character is escaped in JSON, and the attributes beside it.
const longestRequestBytes = 16 * 1_048_576;

/**
 * Starts an SQS of our own on the loopback interface: the AWS JSON protocol over HTTP, over a SQLite file.
 *
 * @throws Error when the port is taken or the file cannot be opened.
 * @example const sqs = await startSqsServer({ file: ".sluice/sqs.db" });
 */
export async function startSqsServer(options: SqsServerOptions): Promise<SqsServer> {
  const faults = options.faults ?? new Faults({ seed: 0 });
  const clock = options.clock ?? Date.now;
  const { file, cacheMegabytes } = options;
  const store = new QueueStore({ file, clock, faults, ...(cacheMegabytes && { cacheMegabytes }) });
  const purges = new Map<string, number>();
  let endpoint = "";
  const urlOf = (name: string) => `${endpoint}/000000000000/${name}`;

  const undelivered: Undelivered = new WeakMap();
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    // A client that closes its side gives up: it would not read an answer.
    const onEnd = () => gone.abort();
    request.socket.once("end", onEnd);
    response.once("close", () => request.socket.off("end", onEnd));
    const run = (action: string, input: Input) => {
      const perform = Object.hasOwn(actions, action) ? actions[action] : undefined;
      if (perform === undefined) {
        throw new SqsError("UnknownOperationException", `The action ${action || "(none)"} is not known here.`);
      }
      return perform(input, { store, clock, urlOf, purges, signal: gone.signal });
    };
    // Another request on the connection: what was written before has arrived.
    undelivered.delete(request.socket);
    handle(request, response, { gone: gone.signal, faults, undelivered, run }).catch(() => response.destroy());
  });
  server.on("connection", (socket) => {
    socket.once("close", (hadError) => {
      const last = undelivered.get(socket);
      if (hadError && last !== undefined && performance.now() - last.writtenAt < resetWithinMs) last.undo();
    });
  });
  try {
    server.listen(options.port ?? 0, "127.0.0.1");
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
    queueUrl: urlOf,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

interface Exchange {
  /** Fires when the client has gone. */
  readonly gone: AbortSignal;
  readonly faults: Faults;
  readonly undelivered: Undelivered;
  readonly run: (action: string, input: Input) => Answer | Promise<Answer>;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { gone, faults, undelivered, run }: Exchange,
): Promise<void> {
  let answer: Answer;
  let lost = false;
  try {
    const action = actionOf(request);
    const input = parseInput(await readBody(request));
    const fault = faults.ofRequest(action, queueOf(input));
    if (fault === "throttle") throw new SqsError("RequestThrottled", "The request was throttled (an injected fault).");
    if (fault === "internalFailure") throw new SqsError("InternalFailure", "The service failed (an injected fault).");
    if (fault === "timeout") {
      const timer = setTimeout(() => response.destroy(), faults.settings.timeoutMs);
      response.once("close", () => clearTimeout(timer));
      return;
    }
    lost = fault === "lostResponse";
    answer = await run(action, input);
    // A client that has gone already is known to have gone once the event loop has looked at the sockets again.
    if (answer.undo !== undefined) for (let turn = 0; turn < 2; turn++) await nextTurn();
  } catch (error) {
    refuse(response, error);
    return;
  }
  // A lost response took effect: only a client that went by itself has its receives taken back.
  if (lost) response.destroy();
  else if (gone.aborted) answer.undo?.();
  else reply(response, answer, undelivered);
}

function reply(response: ServerResponse, answer: Answer, undelivered: Undelivered): void {
  const { undo } = answer;
  if (undo !== undefined) {
    if (response.socket !== null) undelivered.set(response.socket, { undo, writtenAt: performance.now() });
    response.once("close", () => {
      if (!response.writableFinished) undo();
    });
  }
  write(response, 200, answer.output);
}

function refuse(response: ServerResponse, error: unknown): void {
  const known = error instanceof SqsError ? error : new SqsError("InternalFailure", `The server failed: ${error}`);
  response.setHeader("x-amzn-query-error", `${known.queryCode};${known.senderFault ? "Sender" : "Receiver"}`);
  write(response, known.status, { __type: `com.amazonaws.sqs#${known.code}`, message: known.message });
}

function write(response: ServerResponse, status: number, output: Readonly<Record<string, unknown>>): void {
  if (response.destroyed) return;
  const body = Buffer.from(JSON.stringify(output));
  response.writeHead(status, {
    "content-type": "application/x-amz-json-1.0",
    "content-length": body.length,
    "x-amzn-requestid": crypto.randomUUID(),
  });
  response.end(body);
}

function actionOf(request: IncomingMessage): string {
  const target = request.headers["x-amz-target"];
  const prefix = "AmazonSQS.";
  return typeof target === "string" && target.startsWith(prefix) ? target.slice(prefix.length) : "";
}

function queueOf(input: Input): string | undefined {
  const url = input.QueueUrl ?? input.QueueName;
  return typeof url === "string" ? url.slice(url.lastIndexOf("/") + 1) : undefined;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestRequestBytes) throw new SqsError("SerializationException", "The request is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
