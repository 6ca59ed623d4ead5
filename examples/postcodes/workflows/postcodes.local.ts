import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const PER_SECOND = 25;
const AREAS: Readonly<Record<string, string>> = { Bath: "BA1", Derby: "DE1", Leeds: "LS1", York: "YO1" };

/** A lookup service on this machine that answers at most 25 requests a second. It is not deployed. */
export default async function start() {
  let second = 0;
  let answered = 0;
  const server = createServer((request, response) => {
    const now = Math.floor(Date.now() / 1_000);
    if (now !== second) [second, answered] = [now, 0];
    if (++answered > PER_SECOND) {
      response.writeHead(429, { "retry-after": "1" }).end();
      return;
    }
    const query = new URL(request.url ?? "/", "http://localhost").searchParams;
    const area = AREAS[query.get("town") ?? ""];
    const number = Number.parseInt(query.get("street") ?? "", 10);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ postcode: area === undefined ? null : `${area} ${number % 10}AA` }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { environment: { POSTCODES_URL: `http://127.0.0.1:${port}` }, close };
}
