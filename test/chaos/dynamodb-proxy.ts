import { once } from "node:events";
import { Agent, request as ask, createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { Faults } from "../../local/sqs/injected-faults.ts";

export interface DynamoDbProxy {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** A proxy of DynamoDB that makes requests fail, in the same ways as the faults of SQS. */
export async function startDynamoDbProxy(upstream: string, faults: Faults): Promise<DynamoDbProxy> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    void pass(request, response, { upstream, faults, agent }).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

async function pass(
  request: IncomingMessage,
  response: ServerResponse,
  { upstream, faults, agent }: { upstream: string; faults: Faults; agent: Agent },
): Promise<void> {
  const body = await buffer(request);
  const [, action = ""] = String(request.headers["x-amz-target"]).split(".");
  const fault = faults.ofRequest(action, undefined);
  if (fault === "throttle") return refuse(response, 400, "ProvisionedThroughputExceededException");
  if (fault === "internalFailure") return refuse(response, 500, "InternalServerError");
  if (fault === "timeout") {
    const timer = setTimeout(() => response.destroy(), faults.settings.timeoutMs);
    response.once("close", () => clearTimeout(timer));
    return;
  }
  const answer = await forward(upstream, agent, request, body);
  // The request took effect although its response is lost.
  if (fault === "lostResponse") response.destroy();
  else response.writeHead(answer.status, answer.headers).end(answer.body);
}

async function forward(upstream: string, agent: Agent, { method = "POST", headers }: IncomingMessage, body: Buffer) {
  const outgoing = ask(upstream, { method, headers, agent });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: incoming.statusCode ?? 500, headers: incoming.headers, body: await buffer(incoming) };
}

function refuse(response: ServerResponse, status: number, error: string): void {
  const body = { __type: `com.amazonaws.dynamodb.v20120810#${error}`, message: "an injected fault" };
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(body));
}
