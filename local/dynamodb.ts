import { once } from "node:events";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import dynalite from "dynalite";

export interface LocalDynamoDb {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** Starts DynamoDB (dynalite) on the loopback interface. Without a path it keeps its tables in memory. */
export async function startDynamoDb(path?: string): Promise<LocalDynamoDb> {
  const server = dynalite({ ...(path !== undefined && { path }), createTableMs: 0, deleteTableMs: 0 });
  // Left alone it would close a connection in the moment in which a client sends on it.
  server.keepAliveTimeout = 60_000;
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
