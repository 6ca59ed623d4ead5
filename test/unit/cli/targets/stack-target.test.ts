import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { LambdaClient, ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand } from "@aws-sdk/client-lambda";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type StackOptions, stackTargets } from "../../../../cli/targets/stack-target.ts";
import { stackFlag } from "../../../../cli/targets/target.ts";
import { outputName, STACK_OUTPUTS, type StackOutput } from "../../../../shared/definition/stack-outputs.ts";

const cloudFormation = mockClient(CloudFormationClient);
const lambda = mockClient(LambdaClient);
// Other test files of this process may use the clients.
afterAll(() => {
  cloudFormation.restore();
  lambda.restore();
});

/** A stack as CloudFormation describes it, with the outputs of its workflows. */
function stackOf(StackName: string, ...workflows: readonly string[]) {
  const Outputs = workflows.flatMap((workflow) =>
    (Object.keys(STACK_OUTPUTS) as StackOutput[]).map((output) => ({
      OutputKey: outputName(workflow, output),
      OutputValue: output === "workflow" ? workflow : `https://sqs.test/1/${workflow}-${output}`,
    })),
  );
  return { StackName, Outputs, CreationTime: new Date(0), StackStatus: "CREATE_COMPLETE" as const };
}

const orders = stackOf("sluice-orders", "orders");
const shop = stackOf("shop", "invoices", "mails");
const foreign = { ...stackOf("foreign"), Outputs: [{ OutputKey: "Url", OutputValue: "https://example.test" }] };

async function found(options: StackOptions): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { workflow, where } of stackTargets(options)) names.push(`${workflow} in ${where}`);
  return names;
}

beforeEach(() => {
  cloudFormation.reset();
  lambda.reset();
  vi.stubEnv("AWS_REGION", "us-east-1");
});
afterEach(() => vi.unstubAllEnvs());

describe("the stack that a command acts on", () => {
  test("is the only stack with a workflow, on any page of the list", async () => {
    cloudFormation
      .on(DescribeStacksCommand)
      .resolvesOnce({ Stacks: [foreign], NextToken: "2" })
      .resolvesOnce({ Stacks: [shop] });
    expect(await found({ stack: true })).toEqual(["invoices in stack shop", "mails in stack shop"]);
  });

  test("is the named stack, which is requested by its name", async () => {
    cloudFormation.on(DescribeStacksCommand, { StackName: "sluice-orders" }).resolves({ Stacks: [orders] });
    expect(await found({ stack: "sluice-orders" })).toEqual(["orders in stack sluice-orders"]);
  });

  test("is the one of several that holds the workflow; otherwise the user must choose", async () => {
    cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [orders, foreign, shop] });
    expect(await found({ stack: true, holding: "mails" })).toEqual(["invoices in stack shop", "mails in stack shop"]);
    const several = "there are several stacks with Sluice workflows: choose one with --stack (sluice-orders, shop)";
    await expect(found({ stack: true })).rejects.toThrow(several);
    await expect(found({ stack: true, holding: "20261122-081530-3fa9" })).rejects.toThrow(several);
  });

  test("must be chosen by the user if several stages hold the workflow", async () => {
    const stages = ["acme-dev-mails", "acme-prod-mails"].map((name) => stackOf(name, "mails"));
    cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [orders, ...stages] });
    await expect(found({ stack: true, holding: "mails" })).rejects.toThrow(
      'several stacks hold the workflow "mails": choose one with --stack (acme-dev-mails, acme-prod-mails)',
    );
    expect(await found({ stack: true, holding: "orders" })).toEqual(["orders in stack sluice-orders"]);
    cloudFormation.on(DescribeStacksCommand, { StackName: "acme-prod-mails" }).resolves({ Stacks: stages.slice(1) });
    expect(await found({ stack: "acme-prod-mails", holding: "mails" })).toEqual(["mails in stack acme-prod-mails"]);
  });

  test("is refused with the names of the existing stacks if no stack has the given name", async () => {
    const missing = Object.assign(new Error("Stack with id mails does not exist"), { name: "ValidationError" });
    cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [foreign, orders, shop] });
    cloudFormation.on(DescribeStacksCommand, { StackName: "mails" }).rejects(missing);
    await expect(found({ stack: "mails" })).rejects.toThrow(
      'there is no stack "mails" with a Sluice workflow in this account and region (found: sluice-orders, shop)',
    );
  });

  test("is refused if it does not exist, or holds no workflow", async () => {
    cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [foreign] });
    await expect(found({ stack: true })).rejects.toThrow(
      "there is no stack with a Sluice workflow in this account and region",
    );
    const missing = Object.assign(new Error("Stack with id x does not exist"), { name: "ValidationError" });
    cloudFormation.on(DescribeStacksCommand).rejects(missing);
    await expect(found({ stack: "x" })).rejects.toThrow('there is no stack "x" with a Sluice workflow');
  });

  test("is not reported as missing if the request fails; the error says what to check", async () => {
    const refused = Object.assign(new Error("The security token is expired"), { name: "ExpiredToken" });
    cloudFormation.on(DescribeStacksCommand).rejects(refused);
    await expect(found({ stack: true })).rejects.toMatchObject({
      code: "AWS_UNREACHABLE",
      message: expect.stringMatching(/^the stacks cannot be listed: The security token is expired\. .*--profile/),
      cause: refused,
    });
  });

  describe("with --region and --profile", () => {
    const SERVICES = "[services local]\ncloudformation =\n  endpoint_url = http://127.0.0.1:2\n";
    const keys = (name: string) => `aws_access_key_id = ${name}\naws_secret_access_key = secret\n`;

    beforeEach(() => {
      const directory = mkdtempSync(join(tmpdir(), "sluice-profiles-"));
      onTestFinished(() => rmSync(directory, { recursive: true }));
      const file = join(directory, "config");
      const work = `[profile work]\nregion = eu-north-1\nendpoint_url = http://127.0.0.1:1\n${keys("WORK")}`;
      const local = `[profile local]\nservices = local\n${keys("LOCAL")}`;
      writeFileSync(file, `${work}${local}[profile another]\n${keys("ANOTHER")}${SERVICES}`);
      vi.stubEnv("AWS_CONFIG_FILE", file);
      vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(directory, "none"));
      vi.stubEnv("AWS_PROFILE", "another");
      vi.stubEnv("AWS_REGION", undefined);
      cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [orders] });
    });

    async function used(options: Omit<StackOptions, "stack">) {
      const before = { ...process.env };
      await found({ stack: true, ...options });
      expect(process.env).toEqual(before);
      const [call] = cloudFormation.commandCalls(DescribeStacksCommand);
      if (call === undefined) throw new Error("CloudFormation received no request");
      const { config } = call.thisValue as CloudFormationClient;
      const { accessKeyId } = await config.credentials();
      const endpoint = await config.endpoint?.();
      return { region: await config.region(), accessKeyId, port: endpoint?.port };
    }

    test("clients use them, and the environment variables stay as they are", async () => {
      expect(await used({ region: "eu-west-1", profile: "work" })).toEqual({
        region: "eu-west-1",
        accessKeyId: "WORK",
        port: 1,
      });
    });

    test("the region of the profile applies without --region", async () => {
      expect(await used({ profile: "work" })).toMatchObject({ region: "eu-north-1" });
    });

    test("the profile's endpoint for one service applies", async () => {
      expect(await used({ region: "eu-west-1", profile: "local" })).toMatchObject({ accessKeyId: "LOCAL", port: 2 });
    });

    test("an endpoint in the environment variables comes before the profile's", async () => {
      vi.stubEnv("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://127.0.0.1:3");
      expect(await used({ profile: "work" })).toMatchObject({ port: 3 });
    });

    test("the profile's endpoint is ignored if configured endpoints are turned off", async () => {
      vi.stubEnv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
      expect(await used({ profile: "work" })).toMatchObject({ port: undefined });
    });

    test("without the options, the SDK uses the environment variables", async () => {
      vi.stubEnv("AWS_REGION", "us-west-2");
      expect(await used({})).toMatchObject({ region: "us-west-2", accessKeyId: "ANOTHER" });
    });
  });
});

test("suggested commands name the stack, and nothing for this machine", async () => {
  cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [orders] });
  for await (const target of stackTargets({ stack: true })) expect(stackFlag(target)).toBe(" --stack sluice-orders");
  expect(stackFlag({ stack: undefined })).toBe("");
});

test("delivery is restored by enabling the consumer's mapping of the queue, on any page, if it is disabled", async () => {
  cloudFormation.on(DescribeStacksCommand).resolves({ Stacks: [orders] });
  const mapping = (UUID: string, queue: string, State: string) => ({
    UUID,
    EventSourceArn: `arn:aws:sqs:us-east-1:1:${queue}`,
    State,
  });
  lambda
    .on(ListEventSourceMappingsCommand, { FunctionName: "https://sqs.test/1/orders-consumerFunction" })
    .resolvesOnce({ EventSourceMappings: [mapping("other", "another-queue", "Disabled")], NextMarker: "2" })
    .resolvesOnce({ EventSourceMappings: [mapping("own", "orders-queueUrl", "Disabled")] })
    .resolves({ EventSourceMappings: [mapping("own", "orders-queueUrl", "Enabled")] });
  lambda.on(UpdateEventSourceMappingCommand).resolves({});
  for await (const target of stackTargets({ stack: true })) {
    await target.restoreDelivery();
    await target.restoreDelivery();
  }
  expect(lambda.commandCalls(UpdateEventSourceMappingCommand).map(({ args: [{ input }] }) => input)).toEqual([
    { UUID: "own", Enabled: true },
  ]);
});
