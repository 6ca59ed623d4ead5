import type { IncomingMessage, ServerResponse } from "node:http";
import type { Refusal } from "./request-check.ts";

/** AWS's codes of a refusal, in the JSON protocols and in the older query protocol. */
interface Codes {
  readonly json: string;
  readonly query: string;
}

/**
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
 */
const CODES: Readonly<Record<Refusal, Codes>> = {
  "foreign host": { json: "AccessDeniedException", query: "AccessDenied" },
  "web page": { json: "AccessDeniedException", query: "AccessDenied" },
  "no key": { json: "MissingAuthenticationTokenException", query: "MissingAuthenticationToken" },
  "wrong key": { json: "UnrecognizedClientException", query: "InvalidClientTokenId" },
};

const WHERE_IT_IS = "The key is the access key id in aws-config of the workflow's directory in .sluice/";

const MESSAGES: Readonly<Record<Refusal, string>> = {
  "foreign host": "The embedded engine answers only requests whose Host is localhost, 127.0.0.1 or [::1].",
  "web page": "The embedded engine answers no web page: a request must not have an Origin header.",
  "no key": `The embedded engine answers only requests whose Authorization header has its key. ${WHERE_IT_IS}.`,
  "wrong key": `The access key id is not that of the embedded engine, which has a new one at each start. ${WHERE_IT_IS}.`,
};

const STATUS = 403;

/** Answers a request that the check refused as AWS answers one that it does not know. No header lets a page read it. */
export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { json, query } = CODES[refusal];
  const message = MESSAGES[refusal];
  const requestId = crypto.randomUUID();
  // The JSON protocols name the action in a header, the query protocol in its body.
  const inJson = request.headers["x-amz-target"] !== undefined;
  const body = inJson
    ? JSON.stringify({ __type: `com.amazon.coral.service#${json}`, message })
    : `<ErrorResponse><Error><Type>Sender</Type><Code>${query}</Code><Message>${message}</Message></Error>` +
      `<RequestId>${requestId}</RequestId></ErrorResponse>`;
  response.writeHead(STATUS, {
    "content-type": inJson ? "application/x-amz-json-1.0" : "text/xml",
    "content-length": Buffer.byteLength(body),
    "x-amzn-requestid": requestId,
    "x-amzn-query-error": `${query};Sender`,
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}
