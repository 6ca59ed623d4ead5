import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parameterText, secretText } from "../../../shared/aws/secret-value.ts";

const ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/reader-a1B2c3";
const never = new AbortController().signal;

beforeEach(() => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKID");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  vi.stubEnv("AWS_SESSION_TOKEN", "token");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A server in place of Secrets Manager, with the request that it received. */
async function secretsManager(status: number, body: unknown) {
  const received: { headers?: IncomingHttpHeaders; body?: string } = {};
  const server = createServer(async (request, response) => {
    received.headers = request.headers;
    received.body = (await request.toArray()).join("");
    response.writeHead(status).end(JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    received,
    environment: { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, AWS_REGION: "eu-west-1" },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("secretText asks for exactly the secret, in its own region, with a signed request", async () => {
  await using manager = await secretsManager(200, { SecretString: '{"username":"u"}' });
  expect(await secretText(ARN, manager.environment, never)).toBe('{"username":"u"}');
  expect(JSON.parse(manager.received.body ?? "")).toEqual({ SecretId: ARN });
  expect(manager.received.headers).toMatchObject({
    "x-amz-target": "secretsmanager.GetSecretValue",
    "content-type": "application/x-amz-json-1.1",
    "x-amz-security-token": "token",
    authorization: expect.stringMatching(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-central-1\/secretsmanager\/aws4_request/,
    ),
  });
});

test("secretText throws the error that AWS names, and refuses a secret without a text", async () => {
  await using denied = await secretsManager(400, { __type: "com.amazon#AccessDeniedException", Message: "not you" });
  await expect(secretText(ARN, denied.environment, never)).rejects.toMatchObject({
    name: "AccessDeniedException",
    message: "not you",
  });
  await using odd = await secretsManager(404, "?");
  await expect(secretText(ARN, odd.environment, never)).rejects.toThrow("HTTP 404");
  await using binary = await secretsManager(200, { SecretBinary: "AA==" });
  await expect(secretText(ARN, binary.environment, never)).rejects.toThrow("it must have a SecretString");
});

test("parameterText asks for a decrypted parameter with a signed request", async () => {
  await using store = await secretsManager(200, { Parameter: { Name: "/shop/api-key", Value: "key" } });
  expect(await parameterText("/shop/api-key", store.environment, never)).toBe("key");
  expect(JSON.parse(store.received.body ?? "")).toEqual({ Name: "/shop/api-key", WithDecryption: true });
  expect(store.received.headers).toMatchObject({
    "x-amz-target": "AmazonSSM.GetParameter",
    authorization: expect.stringMatching(/Credential=AKID\/\d{8}\/eu-west-1\/ssm\/aws4_request/),
  });
});

test("parameterText throws the error that AWS names, and needs a region", async () => {
  await using missing = await secretsManager(400, { __type: "ParameterNotFound" });
  await expect(parameterText("none", missing.environment, never)).rejects.toMatchObject({ name: "ParameterNotFound" });
  await using empty = await secretsManager(200, {});
  await expect(parameterText("none", empty.environment, never)).rejects.toThrow("the parameter has no value");
  await expect(parameterText("none", {}, never)).rejects.toThrow("set AWS_REGION, or give the ARN of the parameter");
});
