import type { IncomingMessage, ServerResponse } from "node:http";
import type { Refusal } from "./request-check.ts";

/** AWS's error codes for a refusal, in the JSON protocols and in the older query protocol. */
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

const WHERE_THE_KEY_IS = "The key is the access key id in aws-config of the workflow's directory in .sluice/";

const MESSAGES: Readonly<Record<Refusal, string>> = {
  "foreign host": "The embedded engine answers only requests whose Host is localhost, 127.0.0.1 or [::1].",
  "web page": "The embedded engine does not answer web pages: a request must not have an Origin header.",
  "no key": `The Authorization header of a request to the embedded engine must have the engine's key. ${WHERE_THE_KEY_IS}.`,
  "wrong key": `The access key id is not the key of the embedded engine. The key is new at each start. ${WHERE_THE_KEY_IS}.`,
};

const STATUS = 403;

/**
 * Answers a refused request as AWS answers a request with unknown credentials. The answer has no CORS header, so a web
 * page cannot read it.
 */
export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { json, query } = CODES[refusal];
  const message = MESSAGES[refusal];
  const requestId = crypto.randomUUID();
  // The JSON protocols name the action in a header, the query protocol in the body.
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
