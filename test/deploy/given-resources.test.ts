import { readFileSync } from "node:fs";
import { join } from "node:path";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, inject, onTestFailed, test, vi } from "vitest";
import { readOutputs } from "../../shared/definition/stack-outputs.ts";
import { PATIENTLY } from "../helpers/patience.ts";
import { cdk, dynamoDbClient, runsIn, sluice, sqsClient } from "./aws.ts";

const app = ["--app", "node --no-warnings test/deploy/given-app/app.ts"];
const outputsFile = join(inject("workspace"), "given-outputs.json");
const outputsOf = (stack: string) => readOutputs("greetings", JSON.parse(readFileSync(outputsFile, "utf8"))[stack]);
const dynamoDb = dynamoDbClient();
const sqs = sqsClient();
afterAll(() => {
  dynamoDb.destroy();
  sqs.destroy();
});

beforeAll(async () => {
  await cdk("bootstrap", "aws://000000000000/us-east-1", ...app);
  await cdk("deploy", "--all", ...app, "--require-approval", "never", "--outputs-file", outputsFile);
});

/** Starts a run of the stack, and waits for its results and its dead letters. */
async function runOn(stack: string): Promise<void> {
  onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
  const [asked] = await sluice("start", "greetings", "--stack", stack, "--json");
  const runs = runsIn(dynamoDb, outputsOf(stack).table);
  await vi.waitFor(
    async () => {
      const run = await runs.get(String(asked?.run));
      const { succeeded, dead, pending } = await runs.counts(run);
      expect({ status: run.status, manifest: run.results?.manifest, succeeded, dead, pending }).toEqual({
        status: "completed",
        manifest: 1,
        succeeded: 18,
        dead: 2,
        pending: 0,
      });
    },
    { ...PATIENTLY, interval: 500 },
  );
  const letters = await sluice("dlq", "--stack", stack, "--by", "reason", "--json");
  expect(letters.at(-1)).toMatchObject({ type: "totals", deadLetters: 2 });
}

const nameIn = (url: string) => url.split("/").at(-1);

test("a workflow runs on a table and queues that exist before it and have a customer's key", async () => {
  const { table, queueUrl, deadLetterQueueUrl, controlQueueUrl, controlDeadLetterQueueUrl } = outputsOf("imported");
  expect(table).toBe("shop-greetings");
  expect([queueUrl, deadLetterQueueUrl, controlQueueUrl, controlDeadLetterQueueUrl].map(nameIn)).toEqual([
    "shop-items",
    "shop-items-dead",
    "shop-control.fifo",
    "shop-control-dead.fifo",
  ]);
  await runOn("imported");
});

test("a workflow with a prefix and a customer's key has its names, is encrypted, and runs", async () => {
  const outputs = outputsOf("named");
  expect([outputs.table, outputs.producerFunction, outputs.consumerFunction, outputs.consumerLogGroup]).toEqual([
    "acme-test-greetings-ledger",
    "acme-test-greetings-producer",
    "acme-test-greetings-consumer",
    "/aws/lambda/acme-test-greetings-consumer",
  ]);
  const { queueUrl, deadLetterQueueUrl, controlQueueUrl, controlDeadLetterQueueUrl } = outputs;
  const urls = [queueUrl, deadLetterQueueUrl, controlQueueUrl, controlDeadLetterQueueUrl];
  expect(urls.map(nameIn)).toEqual([
    "acme-test-greetings-queue",
    "acme-test-greetings-dead-letters",
    "acme-test-greetings-control.fifo",
    "acme-test-greetings-control-dead-letters.fifo",
  ]);
  for (const QueueUrl of urls) {
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["KmsMasterKeyId"] }),
    );
    // The emulator keeps the key of a queue, and not that of a table.
    expect(Attributes?.KmsMasterKeyId, QueueUrl).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\//);
  }
  await runOn("named");
  // The emulator checks the rights of the roles, and writes what they lack into its log.
  const denied = readFileSync(inject("ministackLog"), "utf8").match(/.*not authorized to perform.*/g) ?? [];
  expect(denied.filter((line) => line.includes("acme-test-"))).toEqual([]);
});
