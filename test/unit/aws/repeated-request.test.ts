import { afterEach, expect, test, vi } from "vitest";
import { sendRepeatedly } from "../../../shared/aws/repeated-request.ts";

// The backoff takes no time.
vi.mock("node:timers/promises", () => ({ setTimeout: async () => {} }));

afterEach(() => {
  vi.unstubAllGlobals();
});

const REQUEST = {
  service: "lambda",
  region: "eu-west-1",
  endpoint: "https://lambda.eu-west-1.amazonaws.com",
  headers: {},
  body: "",
  credentials: { accessKeyId: "AKID", secretAccessKey: "secret" },
};

/** What `sendRepeatedly` throws if AWS answers with this, and how many requests it sent. */
async function failureOf(body: string, init: ResponseInit) {
  const send = vi.fn(async () => new Response(body, init));
  vi.stubGlobal("fetch", send);
  const error = await sendRepeatedly(REQUEST).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  return { name: error?.name, message: error?.message, requests: send.mock.calls.length };
}

test.each([
  // Lambda names the error in a header.
  [
    '{"Type":"User","Message":"Function not found: f"}',
    { status: 404, headers: { "x-amzn-errortype": "ResourceNotFoundException:http://internal.amazon.com/coral/" } },
    { name: "ResourceNotFoundException", message: "Function not found: f" },
  ],
  [
    '{"__type":"com.amazonaws.logs#AccessDeniedException:http://x/","message":"no"}',
    { status: 400 },
    { name: "AccessDeniedException", message: "no" },
  ],
  [
    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: &quot;a&#39;b&#x26;&amp;lt;&quot; may not</Message></Error></ErrorResponse>",
    { status: 403 },
    { name: "AccessDenied", message: 'User: "a\'b&&lt;" may not' },
  ],
  ["<html>denied by a proxy</html>", { status: 403 }, { name: "HTTP 403", message: "HTTP 403" }],
  ["", { status: 403 }, { name: "HTTP 403", message: "HTTP 403" }],
] as const)(
  "%s is an error with the name and the message of AWS, and the request is not repeated",
  async (body, init, error) => {
    expect(await failureOf(body, init)).toEqual({ ...error, requests: 1 });
  },
);

test.each([
  ["<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>", 400, {}],
  ['{"message":"Rate Exceeded"}', 400, { "x-amzn-errortype": "TooManyRequestsException" }],
  ['{"Reason":"CallerRateLimitExceeded"}', 429, {}],
  ["", 503, {}],
])("%s with the status %s is repeated up to four times", async (body, status, headers) => {
  expect(await failureOf(body, { status, headers })).toMatchObject({ requests: 4 });
});
