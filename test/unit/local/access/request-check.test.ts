import { describe, expect, test } from "vitest";
import { newAccessKeyId } from "../../../../local/access/access-key.ts";
import { requestCheck } from "../../../../local/access/request-check.ts";

const KEY = newAccessKeyId();
const check = requestCheck(KEY);

const signed = (key: string) =>
  `AWS4-HMAC-SHA256 Credential=${key}/20261127/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature=00`;
const OWN = { host: "127.0.0.1:4566", authorization: signed(KEY) };

describe("The check of a request", () => {
  test.each(["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:4566", "[::1]", "[::1]:65535"])(
    "passes a request with the key to the host %s",
    (host) => {
      expect(check({ ...OWN, host })).toBeUndefined();
    },
  );

  test.each([
    undefined,
    "",
    "evil.example",
    "evil.example:4566",
    "localhost.evil.example",
    "localhost.",
    "127.0.0.1.nip.io",
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "127.0.0.1:80:80",
    "127.0.0.1:",
    "0.0.0.0",
    "::1",
    "localhost\nevil.example",
  ])("refuses a request to the host %j, even with the key", (host) => {
    expect(check({ ...OWN, ...(host === undefined ? { host: undefined } : { host }) })).toBe("foreign host");
  });

  test.each(["https://evil.example", "http://127.0.0.1:4566", "null", ""])(
    "refuses one of the origin %j, with the key too",
    (origin) => {
      expect(check({ ...OWN, origin })).toBe("web page");
    },
  );

  test.each([
    undefined,
    "",
    "Bearer abc",
    `Basic ${Buffer.from(`${KEY}:`).toString("base64")}`,
    `Credential=${KEY}/20261127/us-east-1/sqs/aws4_request`,
    `AWS4-HMAC-SHA256 Credential=${KEY}`,
    "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
  ])("refuses a request whose authorization is %j", (authorization) => {
    expect(check({ ...OWN, authorization })).toBe("no key");
  });

  test.each([
    "",
    "local",
    KEY.slice(0, -1),
    `${KEY}0`,
    KEY.toUpperCase(),
    ` ${KEY}`,
    newAccessKeyId(),
    "ü".repeat(KEY.length / 2),
    "ü".repeat(KEY.length),
  ])("refuses a request with the key %j", (key) => {
    expect(check({ ...OWN, authorization: signed(key) })).toBe("wrong key");
  });
});

test("each engine has its own key, with characters that AWS allows in keys", () => {
  const keys = Array.from({ length: 100 }, newAccessKeyId);
  expect(new Set(keys).size).toBe(100);
  for (const key of keys) expect(key).toMatch(/^\w{16,128}$/);
});
