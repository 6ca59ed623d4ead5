import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { bundleFunctions } from "../../../local/lambda/bundle-functions.ts";
import { ExecutionEnvironment } from "../../../local/lambda/execution-environment.ts";
import { toVariables } from "../../../shared/definition/function-environment.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { envelopeBody } from "../../../shared/messages/envelope.ts";
import { silentServer, unreachableServer } from "../../helpers/silent-servers.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";
import workflow from "../../helpers/workflows/small.ts";

vi.setConfig({ testTimeout: 120_000 });

const directory = temporaryDirectory();
let bundles: Awaited<ReturnType<typeof bundleFunctions>>;
beforeAll(async () => {
  const workflowFile = fileURLToPath(new URL("../../helpers/workflows/small.ts", import.meta.url));
  bundles = await bundleFunctions(workflowFile, directory.path);
});
afterAll(() => directory[Symbol.dispose]());

/** An environment of a deployed function, whose requests all go to one endpoint. */
async function environmentOf(name: "producer" | "consumer", endpoint: string) {
  const { path, [Symbol.dispose]: remove } = temporaryDirectory();
  const { concurrency, tasksPerEnvironment, maxBacklog, consumer, producer } = topology(workflow);
  const url = (queue: string) => `${endpoint}/000000000000/${queue}`;
  const environment = new ExecutionEnvironment(
    {
      name,
      bundle: bundles[name],
      timeoutSeconds: (name === "consumer" ? consumer : producer).timeoutSeconds,
      memoryMb: 512,
      variables: {
        AWS_REGION: "us-east-1",
        AWS_ACCESS_KEY_ID: "id",
        AWS_SECRET_ACCESS_KEY: "secret",
        AWS_ENDPOINT_URL: endpoint,
        ...toVariables({
          queueUrl: url("queue"),
          deadLetterQueueUrl: url("dead"),
          controlQueueUrl: url("control.fifo"),
          controlDeadLetterQueueUrl: url("control-dead.fifo"),
          table: "ledger",
          concurrency,
          tasksPerEnvironment,
          maxBacklog,
          sliceSeconds: producer.sliceSeconds,
          controlVisibilitySeconds: 30,
          refillSeconds: consumer.refillSeconds,
          refillWaitingSeconds: consumer.refillWaitingSeconds,
          refillVisibilitySeconds: consumer.refillVisibilitySeconds,
          fastPath: true,
        }),
      },
      log: openSync(join(path, "log"), "w"),
    },
    { onActivity: () => {}, onPeakMemory: () => {} },
  );
  onTestFinished(() => {
    environment.kill();
    remove();
  });
  return { environment, log: () => readFileSync(join(path, "log"), "utf8") };
}

test.each([
  ["accepts connections and never answers", async () => (await silentServer()).endpoint],
  ["never accepts a connection", unreachableServer],
])("a function whose endpoint %s is ready, although its warm-up gets no answer", async (_, start) => {
  const endpoint = await start();
  const environments = [await environmentOf("producer", endpoint), await environmentOf("consumer", endpoint)];

  // Lambda ends a start after 10 s. test/unit/functions/function-services.test.ts shows that the warm-up takes a second of it.
  expect(await Promise.all(environments.map(({ environment }) => environment.started()))).toEqual([
    undefined,
    undefined,
  ]);
});

test("a consumer whose endpoint never answers returns its messages before its invocation times out", async () => {
  const { endpoint } = await silentServer();
  const { environment: consumer, log } = await environmentOf("consumer", endpoint);
  const header = { workflow: workflow.name, run: "run", partition: 0, page: 0, epoch: 1, resent: false };
  const record = {
    messageId: "message",
    receiptHandle: "handle",
    body: envelopeBody(header, 0, "1"),
    attributes: { ApproximateReceiveCount: "1", SentTimestamp: String(Date.now()) },
    messageAttributes: {},
  };

  const outcome = await consumer.invoke({ Records: [record] }, "request");

  expect(outcome).toEqual({ tag: "returned", result: { batchItemFailures: [{ itemIdentifier: "message" }] } });
  // The requests that were to bypass the SDK are among the invocation's metrics.
  expect(log()).toMatch(/"FastPathFallbacks":[1-9]/);
});
