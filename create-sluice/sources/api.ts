import type { SourceKind } from "../source-kind.ts";

export const api: SourceKind = {
  id: "api",
  label: "an HTTP API, read page by page",
  defaultName: "orders",
  write: ({ name }) => {
    return {
      files: {
        [`workflows/${name}.ts`]: `import { checkResponse, defineWorkflow, httpPages, nextUrl } from "sluice";
import * as z from "zod";

// Without API_URL, "sluice run" starts the sample API of ${name}.local.ts. For your own API, set API_URL or write its
// address here, and delete ${name}.local.ts. A deployed workflow never reads the sample API.
const api = () => process.env.API_URL ?? "https://api.example.com";

export default defineWorkflow({
  name: "${name}",
  // Each page is { "orders": [...], "next": "https://..." }. The last page has "next": null.
  // For other APIs there are linkHeader, cursorField, pageNumber and offsetLimit: docs/guides/sources.md
  source: httpPages({ url: () => \`\${api()}/orders\`, items: "orders", next: nextUrl({ path: "next" }) }),
  item: z.object({ id: z.int(), amount: z.number() }),
  // Runs once for each order, up to 10 at the same time. An error is tried again; PermanentError is not.
  task: async ({ id }, { signal }) => {
    const response = await fetch(\`\${api()}/orders/\${id}\`, { signal });
    const order = JSON.parse(await checkResponse(response).text());
    return { id, status: String(order.status) };
  },
  // The environment variables that the deployed functions get from the shell that deploys.
  environment: ["API_URL"],
  results: true,
  concurrency: 10,
  timeout: { seconds: 10 },
});
`,
        [`workflows/${name}.local.ts`]: `import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A sample API on this machine: it serves data/orders.json in pages of 5. It is not deployed. Delete this file for your own API. */
export default async function start() {
  // The address of another API is set, so the sample API is not needed.
  if (process.env.API_URL) return { environment: {}, close: async () => {} };
  const orders: { id: number; amount: number }[] = JSON.parse(await readFile("data/orders.json", "utf8"));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", \`http://\${request.headers.host}\`);
    const id = url.pathname.split("/")[2];
    response.setHeader("content-type", "application/json");
    if (id !== undefined) {
      response.end(JSON.stringify({ ...orders.find((order) => String(order.id) === id), status: "paid" }));
      return;
    }
    const from = Number(url.searchParams.get("from") ?? 0);
    const next = from + 5 < orders.length ? \`\${url.origin}/orders?from=\${from + 5}\` : null;
    response.end(JSON.stringify({ orders: orders.slice(from, from + 5), next }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { environment: { API_URL: \`http://127.0.0.1:\${port}\` }, close };
}
`,
        "data/orders.json": `${JSON.stringify(
          Array.from({ length: 12 }, (_, index) => ({ id: index + 1, amount: (index + 1) * 10 })),
          undefined,
          2,
        )}\n`,
      },
      test: `test("the status of an order is returned", async (t) => {
  t.mock.method(globalThis, "fetch", async () => Response.json({ status: "paid" }));
  assert.deepEqual(await runTask(workflow, { id: 1, amount: 10 }), { id: 1, status: "paid" });
});

test("an order that does not exist is a dead letter", async (t) => {
  t.mock.method(globalThis, "fetch", async () => new Response("", { status: 404 }));
  const run = await runWorkflow(workflow, { items: [{ id: 1, amount: 10 }] });
  assert.equal(run.dead, 1);
});
`,
    };
  },
};
