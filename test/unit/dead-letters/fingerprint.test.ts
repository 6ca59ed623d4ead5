import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fingerprint } from "../../../shared/messages/fingerprint.ts";

/** Errors that tasks throw: the name, two messages of the same kind, and the text that both must get. */
const ERRORS: Readonly<Record<string, readonly (readonly [name: string, a: string, b: string, text: string])[]>> = {
  Node: [
    [
      "TypeError",
      "Cannot read properties of undefined (reading 'name')",
      "Cannot read properties of undefined (reading 'population')",
      "Cannot read properties of undefined (reading '…')",
    ],
    [
      "Error",
      "ENOENT: no such file or directory, open '/tmp/job-8842/in.csv'",
      "ENOENT: no such file or directory, open '/var/data/x'",
      "ENOENT: no such file or directory, open '…'",
    ],
    [
      "Error",
      "EACCES: permission denied, mkdir '/var/data/7'",
      "EACCES: permission denied, mkdir '/srv'",
      "EACCES: permission denied, mkdir '…'",
    ],
    [
      "Error",
      "listen EADDRINUSE: address already in use :::3000",
      "listen EADDRINUSE: address already in use 127.0.0.1:8080",
      "listen EADDRINUSE: address already in use <address>",
    ],
    [
      "SyntaxError",
      `Unexpected token '<', "<!DOCTYPE "... is not valid JSON`,
      `Unexpected token 'u', "upstream c"... is not valid JSON`,
      `Unexpected token '…', "…"... is not valid JSON`,
    ],
    [
      "SyntaxError",
      "Expected ',' or '}' after property value in JSON at position 1834 (line 61 column 5)",
      "Expected ',' or '}' after property value in JSON at position 7 (line 1 column 8)",
      "Expected '…' or '…' after property value in JSON at position <n> (line <n> column <n>)",
    ],
    [
      "RangeError",
      'The value of "offset" is out of range. It must be >= 0 and <= 17. Received 4_294_967_296',
      'The value of "size" is out of range. It must be >= 1 and <= 4. Received -1',
      'The value of "…" is out of range. It must be >= <n> and <= <n>. Received <n>',
    ],
    [
      "Error",
      "Cannot find module '/srv/app/dist/tasks/42.js' imported from /srv/app/dist/index.js",
      "Cannot find module '/opt/x.js' imported from /opt/y/z.mjs",
      "Cannot find module '…' imported from <path>",
    ],
    ["Error", "spawn C:\\Users\\jane\\tool.exe ENOENT", "spawn D:\\x\\y.exe ENOENT", "spawn <path> ENOENT"],
    [
      "Error",
      "Hostname/IP does not match certificate's altnames: Host: api.example.com. is not in the cert's altnames: DNS:a",
      "Hostname/IP does not match certificate's altnames: Host: www.example.org. is not in the cert's altnames: DNS:a",
      "Hostname/IP does not match certificate's altnames: Host: <host>. is not in the cert's altnames: DNS:a",
    ],
  ],
  "fetch and undici": [
    [
      "TypeError",
      "fetch failed: connect ECONNREFUSED 127.0.0.1:5432",
      "fetch failed: connect ECONNREFUSED 2001:db8::ff00:42:8329:443",
      "fetch failed: connect ECONNREFUSED <address>",
    ],
    [
      "TypeError",
      "fetch failed: getaddrinfo ENOTFOUND api.example.com",
      "fetch failed: getaddrinfo ENOTFOUND db-1",
      "fetch failed: getaddrinfo ENOTFOUND <host>",
    ],
    [
      "TypeError",
      "fetch failed: Connect Timeout Error (attempted address: api.example.com:443, timeout: 10000ms)",
      "fetch failed: Connect Timeout Error (attempted address: localhost:80, timeout: 250ms)",
      "fetch failed: Connect Timeout Error (attempted address: <host>, timeout: <n>ms)",
    ],
    [
      "TypeError",
      "Failed to parse URL from /users/42",
      "Failed to parse URL from /users/8842/orders?page=2",
      "Failed to parse URL from <path>",
    ],
    [
      "Error",
      "GET https://api.example.com/v2/users/8842?page=3 answered 429 Too Many Requests",
      "GET http://127.0.0.1:8080/users answered 429 Too Many Requests",
      "GET <url> answered 429 Too Many Requests",
    ],
    ["AxiosError", "timeout of 30000ms exceeded", "timeout of 1.5ms exceeded", "timeout of <n>ms exceeded"],
  ],
  "the AWS SDK": [
    [
      "AccessDeniedException",
      "User: arn:aws:sts::123456789012:assumed-role/app-1A2B3C4D5E6F/consumer is not authorized to perform: dynamodb:PutItem on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/orders because no identity-based policy allows the dynamodb:PutItem action",
      "User: arn:aws-cn:iam::210987654321:user/jane is not authorized to perform: dynamodb:PutItem on resource: arn:aws-cn:dynamodb:cn-north-1:210987654321:table/x because no identity-based policy allows the dynamodb:PutItem action",
      "User: <arn> is not authorized to perform: dynamodb:PutItem on resource: <arn> because no identity-based policy allows the dynamodb:PutItem action",
    ],
    [
      "ValidationException",
      "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
      "1 validation error detected: Value '2000' at 'size' failed to satisfy constraint: Member must have value greater than or equal to 10",
      "<n> validation error detected: Value '…' at '…' failed to satisfy constraint: Member must have value greater than or equal to <n>",
    ],
    [
      "S3ServiceException",
      "Access Denied (RequestId: 4TGN2VXN9ZE5H8QP, HostId: tX3yNvKq+o8l7hVbX0FQy3v4sBzq1lJkR8kQpVt5dQmYzM2c6Lw9eUuT0aBnP7sZ)",
      "Access Denied (RequestId: K2H6B0QW3RD7YXZ1, HostId: 9PqLm2Vb+o8l7hVbX0FQy3v4sBzq1lJkR8kQpVt5dQmYzM2c6Lw9eUuT0aBnP7sZ)",
      "Access Denied (RequestId: <id>, HostId: <id>)",
    ],
    [
      "InvalidSignatureException",
      "Signature expired: 20261125T080102Z is now earlier than 20261125T081002Z (20261125T081502Z - 5 min.)",
      "Signature expired: 20270101T000000Z is now earlier than 20270101T001002Z (20270101T001502Z - 5 min.)",
      "Signature expired: <time> is now earlier than <time> (<time> - <n> min.)",
    ],
    ["Error", "connect ETIMEDOUT 52.94.5.1:443", "connect ETIMEDOUT 10.0.3.17:443", "connect ETIMEDOUT <address>"],
    [
      "Error",
      "getaddrinfo EAI_AGAIN my-bucket.s3.eu-west-1.amazonaws.com",
      "getaddrinfo EAI_AGAIN sqs.us-east-1.amazonaws.com",
      "getaddrinfo EAI_AGAIN <host>",
    ],
    [
      "Error",
      "Lambda timed out after 3.00 seconds (RequestId: 8d9f6e70-0a66-4f6a-9a43-9f5b3a1c2d4e)",
      "Lambda timed out after 900 seconds (RequestId: 00000000-0a66-4f6a-9a43-9f5b3a1c2d4e)",
      "Lambda timed out after <n> seconds (RequestId: <uuid>)",
    ],
  ],
  "Postgres drivers": [
    [
      "error",
      'duplicate key value violates unique constraint "users_email_key"',
      'duplicate key value violates unique constraint "orders_pkey"',
      'duplicate key value violates unique constraint "…"',
    ],
    ["error", 'relation "orders" does not exist', 'relation "public.x" does not exist', 'relation "…" does not exist'],
    [
      "error",
      'invalid input syntax for type uuid: "8842"',
      'invalid input syntax for type uuid: ""',
      'invalid input syntax for type uuid: "…"',
    ],
    [
      "error",
      "value too long for type character varying(255)",
      "value too long for type character varying(20)",
      "value too long for type character varying(<n>)",
    ],
    [
      "PostgresError",
      "duplicate key: Key (order_id)=(99821) already exists.",
      "duplicate key: Key (order_id)=(7) already exists.",
      "duplicate key: Key (order_id)=(<n>) already exists.",
    ],
    [
      "Error",
      "Connection terminated due to connection timeout: connect ETIMEDOUT 10.2.0.5:5432",
      "Connection terminated due to connection timeout: connect ETIMEDOUT 10.2.0.6:5433",
      "Connection terminated due to connection timeout: connect ETIMEDOUT <address>",
    ],
    [
      "error",
      "connection to server at “10.2.0.5”, port 5432 failed: Connection refused",
      "connection to server at “db”, port 6432 failed: Connection refused",
      "connection to server at “…”, port <n> failed: Connection refused",
    ],
  ],
  "one's own code": [
    [
      "Error",
      "order 9f8b7c6d5e4f3a2b1c0d was not found for customer cus_9s6XKzkNRiz8i3",
      "order 0a1b2c3d4e5f67890abc was not found for customer cus_4QT1x9Zb7Lm2v0",
      "order <hex> was not found for customer <id>",
    ],
    [
      "Error",
      "no price for 3f2504e0-4f89-11d3-9a0c-0305e82c3301 since 2026-11-25T08:00:00.123Z",
      "no price for 3F2504E0-4F89-11D3-9A0C-0305E82C3302 since 2026-11-25 09:00",
      "no price for <uuid> since <time>",
    ],
    ["Error", "mail to jane.doe+x@example.co.uk bounced", "mail to a@b.io bounced", "mail to <email> bounced"],
    ["Error", "user42 and order-7 disagree", "user1 and order-12345 disagree", "user<n> and order-<n> disagree"],
    ["Error", "took 1.5s of 12.3 MB at 99%", "took 30s of 7 MB at 1%", "took <n>s of <n> MB at <n>%"],
    [
      "Error",
      "Mon, 25 Nov 2026 08:00:00 GMT is before 12:30",
      "Tue Nov 24 2026 10:11:12 GMT+0100 is before 8:00:01.5",
      "<time> is before <time>",
    ],
    ["Error", "pointer 0x7fff5fbff8c0 is free", "pointer 0x0 is free", "pointer <hex> is free"],
    [
      "ZodError",
      "✖ Invalid input\n  → at items[17].name",
      "✖ Invalid  input → at items[0].name",
      "✖ Invalid input → at items[<n>].name",
    ],
  ],
};

/** Pairs of messages that are different errors for an operator. Fingerprints leave these texts unchanged. */
const DIFFERENT = [
  ["Request failed with status code 503", "Request failed with status code 404"],
  ["HTTP 502", "HTTP 500"],
  ["the service answered 429 Too Many Requests", "the service answered 503 Service Unavailable"],
  ["SQLSTATE 23505: duplicate", "SQLSTATE 40001: duplicate"],
  ["read ECONNRESET", "write EPIPE"],
  ["invalid utf8 sequence", "invalid base64 sequence"],
  ["Stream closed with error code NGHTTP2_REFUSED_STREAM", "Stream closed with error code NGHTTP2_CANCEL"],
] as const;

describe.each(Object.entries(ERRORS))(
  "The fingerprints of errors of %s are equal if only the details differ",
  (_, errors) => {
    test.each(errors)("%s: %s", (name, a, b, text) => {
      const found = fingerprint(name, a);
      expect(found.text).toBe(`${name}: ${text}`);
      expect(fingerprint(name, b)).toEqual(found);
      expect(found.id).toMatch(/^[0-9a-f]{8}$/);
      // An error with another name has another fingerprint.
      expect(fingerprint(`${name}2`, a).id).not.toBe(found.id);
    });
  },
);

test.each(DIFFERENT)("The fingerprints of %j and %j differ, and show both texts unchanged", (a, b) => {
  expect(fingerprint("Error", a).text).toBe(`Error: ${a}`);
  expect(fingerprint("Error", b).text).toBe(`Error: ${b}`);
});

test.each([
  "can't open the customer's file, it doesn't exist",
  "either and/or both: input/output error",
  "invalid sha256 digest of an oauth2 token, ES2022, x64, HTTP/1.1",
  "deadlock detected",
  "ERR_HTTP2_STREAM_ERROR: Stream closed",
])("The fingerprint of %j shows the text unchanged", (message) => {
  expect(fingerprint("Error", message).text).toBe(`Error: ${message}`);
});

test("The fingerprint of an error without a message shows its name", () => {
  expect(fingerprint("AbortError", "").text).toBe("AbortError");
});

test("The text of a fingerprint has at most 300 characters, and its id depends on the whole text", () => {
  const long = "word ".repeat(100);
  const found = fingerprint("Error", `${long}a`);
  expect(found.text).toHaveLength(300);
  expect(found.text.endsWith("…")).toBe(true);
  expect(fingerprint("Error", `${long}b`).id).not.toBe(found.id);
});

test("The fingerprint is the same for any numbers, ids and quoted values in a message", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.uuid(),
      fc.string({ unit: "grapheme-ascii" }),
      fc.ipV4(),
      fc.webUrl().filter((url) => !/['()]/.test(url)),
      (n, id, text, ip, url) => {
        const quoted = JSON.stringify(text);
        const { text: found } = fingerprint(
          "Error",
          `item ${n} of ${id} has ${quoted} at ${ip}:${n % 65_536}, see ${url}`,
        );
        expect(found).toBe('Error: item <n> of <uuid> has "…" at <address>, see <url>');
      },
    ),
  );
});

test("The fingerprint of any text is the same each time, and contains only whole characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 3_000 }), (message) => {
      const found = fingerprint("Error", message);
      expect(found.text.isWellFormed()).toBe(true);
      expect(fingerprint("Error", message)).toEqual(found);
    }),
  );
});

// A pattern that backtracks would take minutes for these.
test.each([
  '"'.repeat(50_000),
  "'a".repeat(50_000),
  "a.".repeat(50_000),
  "0:".repeat(50_000),
  "/a".repeat(50_000),
  "a1".repeat(50_000),
  "+/a1".repeat(50_000),
  "<a@".repeat(50_000),
])("The fingerprint of a hostile text is computed at once", (message) => {
  expect(fingerprint("Error", message).id).toMatch(/^[0-9a-f]{8}$/);
});
