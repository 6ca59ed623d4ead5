import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { DeployedStack } from "../../../../cli/targets/describe-stacks.ts";
import { type StackOptions, stackTargets } from "../../../../cli/targets/stack-target.ts";
import { stackFlag } from "../../../../cli/targets/target.ts";
import { outputName, STACK_OUTPUTS, type StackOutput } from "../../../../shared/definition/stack-outputs.ts";

/** A stack as CloudFormation describes it, with the outputs of its workflows. */
function stackOf(name: string, ...workflows: readonly string[]): DeployedStack {
  const outputs = workflows.flatMap((workflow) =>
    (Object.keys(STACK_OUTPUTS) as StackOutput[]).map((output) => [
      outputName(workflow, output),
      output === "workflow" ? workflow : `https://sqs.test/1/${workflow}-${output}`,
    ]),
  );
  return { name, outputs: Object.fromEntries(outputs) };
}

const orders = stackOf("sluice-orders", "orders");
const shop = stackOf("shop", "invoices", "mails");
const foreign = { name: "foreign", outputs: { Url: "https://example.test/?a=1&b=2" } };

const xml = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** The response of CloudFormation, with more than the commands read. */
function responseOf({ stacks, nextToken }: Page): string {
  const members = stacks.map(({ name, outputs }) => {
    const values = Object.entries(outputs).map(
      ([key, value]) =>
        `<member><OutputKey>${key}</OutputKey><OutputValue>${xml(value)}</OutputValue><Description>a &gt; b</Description></member>`,
    );
    return `<member><StackId>arn</StackId><StackName>${name}</StackName><Outputs>${values.join("")}</Outputs><Tags/></member>`;
  });
  const next = nextToken === undefined ? "" : `<NextToken>${nextToken}</NextToken>`;
  return (
    '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult>' +
    `<Stacks>${members.join("")}</Stacks>${next}</DescribeStacksResult></DescribeStacksResponse>`
  );
}

interface Page {
  readonly stacks: readonly DeployedStack[];
  readonly nextToken?: string;
}

/** A request to CloudFormation. */
interface Asked {
  readonly url: URL;
  readonly authorization: string;
  readonly parameters: URLSearchParams;
}

/** CloudFormation in place of that of AWS. It answers requests without a name with the pages, one after another. */
const cloudFormation = {
  requests: [] as Asked[],
  pages: [] as Page[],
  named: {} as Readonly<Record<string, DeployedStack>>,
  refusal: undefined as { readonly code: string; readonly message: string } | undefined,

  answer(request: Asked): Response {
    this.requests.push(request);
    const error = (code: string, message: string) =>
      new Response(
        `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
        { status: 400 },
      );
    if (this.refusal !== undefined) return error(this.refusal.code, this.refusal.message);
    const name = request.parameters.get("StackName");
    if (name === null) {
      const page = Number(request.parameters.get("NextToken") ?? 0);
      return new Response(responseOf(this.pages[page] ?? { stacks: [] }));
    }
    const stack = this.named[name];
    return stack === undefined
      ? error("ValidationError", `Stack with id ${name} does not exist`)
      : new Response(responseOf({ stacks: [stack] }));
  },
};

async function found(options: StackOptions): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { workflow, where } of stackTargets(options)) names.push(`${workflow} in ${where}`);
  return names;
}

beforeEach(() => {
  Object.assign(cloudFormation, { requests: [], pages: [], named: {}, refusal: undefined });
  vi.stubGlobal("fetch", async (url: URL, { headers, body }: { headers: Record<string, string>; body: string }) =>
    cloudFormation.answer({
      url,
      authorization: headers.Authorization ?? "",
      parameters: new URLSearchParams(body),
    }),
  );
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKID");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  vi.stubEnv("AWS_REGION", "us-east-1");
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

describe("the stack that a command acts on", () => {
  test("is the only stack with a workflow, on any page of the list", async () => {
    cloudFormation.pages = [{ stacks: [foreign], nextToken: "1" }, { stacks: [shop] }];
    expect(await found({ stack: true })).toEqual(["invoices in stack shop", "mails in stack shop"]);
  });

  test("is the named stack, which is requested by its name", async () => {
    cloudFormation.named = { "sluice-orders": orders };
    expect(await found({ stack: "sluice-orders" })).toEqual(["orders in stack sluice-orders"]);
  });

  test("is the one of several that holds the workflow; otherwise the user must choose", async () => {
    cloudFormation.pages = [{ stacks: [orders, foreign, shop] }];
    expect(await found({ stack: true, holding: "mails" })).toEqual(["invoices in stack shop", "mails in stack shop"]);
    const several = "there are several stacks with Sluice workflows: choose one with --stack (sluice-orders, shop)";
    await expect(found({ stack: true })).rejects.toThrow(several);
    await expect(found({ stack: true, holding: "20261122-081530-3fa9" })).rejects.toThrow(several);
  });

  test("must be chosen by the user if several stages hold the workflow", async () => {
    const stages = ["acme-dev-mails", "acme-prod-mails"].map((name) => stackOf(name, "mails"));
    cloudFormation.pages = [{ stacks: [orders, ...stages] }];
    await expect(found({ stack: true, holding: "mails" })).rejects.toThrow(
      'several stacks hold the workflow "mails": choose one with --stack (acme-dev-mails, acme-prod-mails)',
    );
    expect(await found({ stack: true, holding: "orders" })).toEqual(["orders in stack sluice-orders"]);
    cloudFormation.named = Object.fromEntries(stages.map((stage) => [stage.name, stage]));
    expect(await found({ stack: "acme-prod-mails", holding: "mails" })).toEqual(["mails in stack acme-prod-mails"]);
  });

  test("is refused with the names of the existing stacks if no stack has the given name", async () => {
    cloudFormation.pages = [{ stacks: [foreign, orders, shop] }];
    await expect(found({ stack: "mails" })).rejects.toThrow(
      'there is no stack "mails" with a Sluice workflow in this account and region (found: sluice-orders, shop)',
    );
  });

  test("is refused if it does not exist, or holds no workflow", async () => {
    cloudFormation.pages = [{ stacks: [foreign] }];
    await expect(found({ stack: true })).rejects.toThrow(
      "there is no stack with a Sluice workflow in this account and region",
    );
    await expect(found({ stack: "x" })).rejects.toThrow('there is no stack "x" with a Sluice workflow');
  });

  test("is not reported as missing if the request fails; the error says what to check", async () => {
    cloudFormation.refusal = { code: "ExpiredToken", message: "The security token is expired" };
    await expect(found({ stack: true })).rejects.toMatchObject({
      code: "AWS_UNREACHABLE",
      message: expect.stringMatching(/^the stacks cannot be listed: The security token is expired\. .*--profile/),
      cause: expect.objectContaining({ name: "ExpiredToken" }),
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
      for (const name of ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) vi.stubEnv(name, undefined);
      cloudFormation.pages = [{ stacks: [orders] }];
    });

    async function used(options: Omit<StackOptions, "stack">) {
      const before = { ...process.env };
      await found({ stack: true, ...options });
      expect(process.env).toEqual(before);
      const [asked] = cloudFormation.requests;
      if (asked === undefined) throw new Error("CloudFormation received no request");
      const [, accessKeyId, region] =
        /Credential=(\w+)\/\d+\/([\w-]+)\/cloudformation\//.exec(asked.authorization) ?? [];
      return { region, accessKeyId, port: asked.url.port === "" ? undefined : Number(asked.url.port) };
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
  cloudFormation.pages = [{ stacks: [orders] }];
  for await (const target of stackTargets({ stack: true })) expect(stackFlag(target)).toBe(" --stack sluice-orders");
  expect(stackFlag({ stack: undefined })).toBe("");
});

test("delivery is restored by enabling the consumer's mapping of the queue, on any page, if it is disabled", async () => {
  cloudFormation.pages = [{ stacks: [orders] }];
  const mapping = (UUID: string, queue: string, State: string) => ({
    UUID,
    EventSourceArn: `arn:aws:sqs:us-east-1:1:${queue}`,
    State,
  });
  const others = mapping("other", "another-queue", "Disabled");
  let own = mapping("own", "orders-queueUrl", "Disabled");
  const requests: string[] = [];
  const toCloudFormation = globalThis.fetch;
  vi.stubGlobal("fetch", async (url: URL, init: { method: string; body?: string; headers: Record<string, string> }) => {
    if (!url.hostname.startsWith("lambda.")) return await toCloudFormation(url, init);
    expect(init.headers.Authorization).toMatch(/Credential=AKID\/\d+\/us-east-1\/lambda\//);
    requests.push(`${init.method} ${decodeURIComponent(url.pathname + url.search)} ${init.body ?? ""}`.trim());
    if (init.method === "PUT") {
      own = { ...own, State: "Enabled" };
      return new Response("{}", { status: 202 });
    }
    const page = url.searchParams.has("Marker")
      ? { EventSourceMappings: [own], NextMarker: null }
      : { EventSourceMappings: [others], NextMarker: "2" };
    return new Response(JSON.stringify(page));
  });
  for await (const target of stackTargets({ stack: true })) {
    await target.restoreDelivery();
    await target.restoreDelivery();
  }
  const path = "/2015-03-31/event-source-mappings/";
  const list = [
    `GET ${path}?FunctionName=https://sqs.test/1/orders-consumerFunction`,
    `GET ${path}?FunctionName=https://sqs.test/1/orders-consumerFunction&Marker=2`,
  ];
  expect(requests).toEqual([...list, `PUT ${path}own {"Enabled":true}`, ...list]);
});
