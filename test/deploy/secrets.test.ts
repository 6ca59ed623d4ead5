import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, onTestFailed, test, vi } from "vitest";
import { sendRepeatedly } from "../../shared/aws/repeated-request.ts";
import { readOutputs } from "../../shared/definition/stack-outputs.ts";
import { PATIENTLY } from "../helpers/patience.ts";
import { cdk, dynamoDbClient, runsIn, sluice, typed } from "./aws.ts";

const context = ["--context", "workflows=test/deploy/secret-workflows"];
const outputsFile = join(inject("workspace"), "secrets-outputs.json");
const dynamoDb = dynamoDbClient();
afterAll(() => dynamoDb.destroy());

const VALUES = { API_KEY: "the-value-of-the-api-key", SIGNING_KEY: "the-value-of-the-signing-key" };
const digest = (value: string) => createHash("sha256").update(value).digest("hex");

/** The emulator needs seconds for its first request. */
const ask = (service: string, target: string, body: object): Promise<string> =>
  sendRepeatedly({
    service,
    region: "us-east-1",
    endpoint: inject("endpoint"),
    headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": target },
    body: JSON.stringify(body),
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });

beforeAll(async () => {
  const secret = { Name: "shop/api-key", SecretString: VALUES.API_KEY };
  await ask("secretsmanager", "secretsmanager.CreateSecret", secret).catch((error: Error) => {
    // On a slow machine, the emulator may answer after the time limit of the request, which is then sent again.
    if (error.name !== "ResourceExistsException") throw error;
  });
  const parameter = { Name: "/shop/signing-key", Type: "SecureString", Value: VALUES.SIGNING_KEY, Overwrite: true };
  await ask("ssm", "AmazonSSM.PutParameter", parameter);
  await cdk("bootstrap", "aws://000000000000/us-east-1", ...context);
  await cdk("deploy", "secrets", ...context, "--require-approval", "never", "--outputs-file", outputsFile);
});

test("the source and the task of a deployed workflow read its secrets, whose values are nowhere else", async () => {
  onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
  const [asked] = await sluice("start", "secrets", "--stack", "sluice-secrets", "--json");
  const run = String(asked?.run);
  const { table } = readOutputs("secrets", JSON.parse(readFileSync(outputsFile, "utf8"))["sluice-secrets"]);
  await vi.waitFor(
    async () => {
      const { status, results } = await runsIn(dynamoDb, table).get(run);
      expect({ status, manifest: results?.manifest }).toEqual({ status: "completed", manifest: 1 });
    },
    { ...PATIENTLY, interval: 500 },
  );
  const file = join(inject("workspace"), "secrets.jsonl");
  await typed("results", run, "--stack", "sluice-secrets", "--format", "jsonl", "--output", file);
  const [api, signing] = [digest(VALUES.API_KEY), digest(VALUES.SIGNING_KEY)];
  expect(JSON.parse(readFileSync(file, "utf8").trim()).result).toEqual({ source: api, task: [api, signing] });
  const synthesised = readFileSync(join(inject("workspace"), "cdk.out", "secrets.template.json"), "utf8");
  // It has the output of the functions, too.
  const logs = readFileSync(inject("ministackLog"), "utf8");
  expect(logs).toContain("FanOutConsumerFunction");
  for (const value of Object.values(VALUES)) {
    expect(`${synthesised}${logs}`).not.toContain(value);
  }
});
