import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClients, type FastPath } from "../../../functions/clients.ts";
import { FAKE_AWS } from "../../../functions/fake-aws.ts";
import { sendCommand } from "../../../shared/aws/fast-path.ts";

beforeEach(() => {
  vi.stubEnv("AWS_REGION", "eu-central-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "nobody");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "nothing");
});

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What makes each of three requests of one kind: the SDK, or the fast path. */
async function makers(fastPath: FastPath | undefined): Promise<readonly string[]> {
  const made: string[] = [];
  const requestHandler = {
    ...FAKE_AWS,
    handle(request: { headers: Record<string, string> }) {
      made.push("amz-sdk-invocation-id" in request.headers ? "SDK" : "fast path");
      return (FAKE_AWS as unknown as { handle(request: object): unknown }).handle(request);
    },
  } as unknown as typeof FAKE_AWS;
  const { sqs } = createClients(() => ({ requestHandler }), fastPath, undefined);
  const QueueUrl = "https://sqs.eu-central-1.amazonaws.com/000000000000/queue";
  for (let request = 0; request < 3; request++) {
    await sendCommand(sqs, GetQueueAttributesCommand, { QueueUrl, AttributeNames: ["All"] });
  }
  return made;
}

test("requests of one kind bypass the SDK from the second on", async () => {
  expect(await makers({ blueprints: new Map() })).toEqual(["SDK", "fast path", "fast path"]);
});

test("with the fast path off, the SDK makes every request", async () => {
  expect(await makers(undefined)).toEqual(["SDK", "SDK", "SDK"]);
});

test("a request goes to the endpoint that is set, and not to the host of the queue's URL", async () => {
  vi.stubEnv("AWS_ENDPOINT_URL", "https://vpce-1.sqs.test");
  const hosts: string[] = [];
  const requestHandler = {
    ...FAKE_AWS,
    handle(request: { hostname: string }) {
      hosts.push(request.hostname);
      return (FAKE_AWS as unknown as { handle(request: object): unknown }).handle(request);
    },
  } as unknown as typeof FAKE_AWS;
  const { sqs, controlSqs } = createClients(() => ({ requestHandler }), undefined, undefined);
  const QueueUrl = "https://sqs.eu-central-1.amazonaws.com/000000000000/queue";
  for (const client of [sqs, controlSqs]) {
    await sendCommand(client, GetQueueAttributesCommand, { QueueUrl, AttributeNames: ["All"] });
  }
  expect(hosts).toEqual(["vpce-1.sqs.test", "vpce-1.sqs.test"]);
});
