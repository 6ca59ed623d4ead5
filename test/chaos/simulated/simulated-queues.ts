import { SQSClient } from "@aws-sdk/client-sqs";
import { engineAccess } from "../../../local/access/engine-access.ts";
import { inProcess } from "../../../local/sqs/in-process-handler.ts";
import type { SqsService } from "../../../local/sqs/sqs-service.ts";
import type { QueueNames } from "../../../local/workflow-queues.ts";
import { clientConfig } from "../../../shared/aws/client-config.ts";
import { LEAN_CLIENT } from "../../../shared/aws/lean-client.ts";
import { Queue } from "../../../shared/aws/queue.ts";
import { explicitSettings } from "../../../shared/aws/service-access.ts";
import type { Latency } from "./latency.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

const ENDPOINT = "http://127.0.0.1:1";
export const urlOf = (name: string): string => `${ENDPOINT}/000000000000/${name}`;

/** The four queues, as a process reaches them: through the AWS SDK, with latency. `undefined`: no service answers. */
export function queuesOf(
  process: SimulatedProcess,
  names: QueueNames,
  latency: Latency,
  service: () => SqsService | undefined,
) {
  const access = engineAccess({ sqs: ENDPOINT, dynamoDb: ENDPOINT, accessKeyId: "simulated" });
  const client = new SQSClient({
    ...LEAN_CLIENT,
    ...explicitSettings(access, ENDPOINT),
    ...clientConfig(),
    md5: false,
    cacheMiddleware: true,
    requestHandler: handlerOf(process, latency, service),
  });
  client.middlewareStack.remove("loggerMiddleware");
  const queue = (name: keyof QueueNames) => new Queue(client, urlOf(names[name]));
  return {
    queue: queue("queue"),
    deadLetterQueue: queue("deadLetterQueue"),
    controlQueue: queue("controlQueue"),
    controlDeadLetterQueue: queue("controlDeadLetterQueue"),
  };
}

function handlerOf(process: SimulatedProcess, latency: Latency, service: () => SqsService | undefined) {
  const disconnected = () => Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  return {
    metadata: { handlerProtocol: "simulated" },
    handle: (request: { headers: Record<string, string>; body?: unknown }, options?: { abortSignal?: unknown }) =>
      process.send(async () => {
        await latency.pass();
        const present = service();
        if (!process.isAlive || present === undefined) throw disconnected();
        const signals = options?.abortSignal instanceof AbortSignal ? [options.abortSignal] : [];
        // A killed process closes its connections.
        const abortSignal = AbortSignal.any([...signals, process.gone]);
        const answer = await inProcess(present).handle(request, { abortSignal });
        const changes = request.headers["x-amz-target"]?.endsWith(".ChangeMessageVisibility");
        if (changes && answer.response.statusCode === 200) process.hasChangedVisibility = true;
        await latency.pass();
        return answer;
      }),
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}
