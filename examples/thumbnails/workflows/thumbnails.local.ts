import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";

/**
 * A service on this machine that serves the files of `data/images` and stores thumbnails in the folder `thumbnails`. It is not
 * deployed.
 */
export default async function start() {
  mkdirSync("thumbnails", { recursive: true });
  const server = createServer(async (request, response) => {
    const name = basename(new URL(request.url ?? "/", "http://localhost").pathname);
    try {
      if (request.method === "PUT") await writeFile(join("thumbnails", name), request);
      response.end(request.method === "PUT" ? "" : await readFile(join("data/images", name)));
    } catch {
      // The file does not exist.
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { environment: { IMAGES_URL: url, THUMBNAILS_URL: url }, close };
}
