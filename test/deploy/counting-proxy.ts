import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** Passes requests on to a server, and remembers when each came. */
export async function countingProxy(target: string) {
  const { hostname, port } = new URL(target);
  const times: number[] = [];
  const server = createServer((incoming, response) => {
    times.push(Date.now());
    const { method, url, headers } = incoming;
    const outgoing = request({ hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** When requests came, in milliseconds since 1970. */
    times: times as readonly number[],
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
