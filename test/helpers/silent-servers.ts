import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { onTestFinished } from "vitest";

async function endpointOf(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts a server that accepts every connection and never answers. */
export async function silentServer() {
  let connections = 0;
  let open = 0;
  const server = createServer((socket) => {
    connections++;
    open++;
    socket.resume().on("error", () => {});
    socket.once("close", () => open--);
  });
  return { endpoint: await endpointOf(server), connections: () => connections, open: () => open };
}

/** Starts a server that never accepts a connection. The kernel drops the packets that ask for one. */
export async function unreachableServer(): Promise<string> {
  const code = `
    const { parentPort } = require("node:worker_threads");
    const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    });`;
  const worker = new Worker(code, { eval: true });
  const [port] = (await once(worker, "message")) as [number];
  // The kernel accepts connections without the process until the backlog is full.
  const full = Array.from({ length: 8 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  await once(full[0] as Socket, "connect");
  onTestFinished(async () => {
    for (const socket of full) socket.destroy();
    await worker.terminate();
  });
  return `http://127.0.0.1:${port}`;
}

/** Starts an HTTP server. */
export async function httpServer(onRequest: RequestListener): Promise<string> {
  return await endpointOf(createHttpServer(onRequest));
}
