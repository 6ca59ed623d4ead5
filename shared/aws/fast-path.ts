import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { recursionDetectionMiddleware } from "@aws-sdk/core/client";
import { RequestSigner } from "./request-signer.ts";
import { requestTimeoutOf } from "./timeouts.ts";

/** The only protocol that the fast path knows. https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html */
const KNOWN_PROTOCOL = { id: "aws.protocols#awsJson1_0", contentType: "application/x-amz-json-1.0" } as const;

/** The properties of the SDK's `HttpRequest` that the fast path uses. */
interface Request {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What all requests of one command to one queue or table have in common, and the scope of their signatures. */
interface Blueprint {
  readonly request: Request;
  readonly scope: { readonly region: string; readonly service: string };
}

/** The blueprints that are known so far. Clients with the same settings can share them. */
export type Blueprints = Map<string, Blueprint>;

type Input = Readonly<Record<string, unknown>>;

/**
 * The commands that the fast path can send. Each function returns whether the fast path can send a given input: the
 * body of the request must be the input as JSON, without any change. The SDK changes only binary values, which it
 * encodes as text. Rows of the ledger have no binary values, and a message has them only in its attributes.
 */
const PLAIN: Readonly<Record<string, (input: Input) => boolean>> = {
  SendMessageBatchCommand: ({ Entries }) =>
    (Entries as Input[] | undefined)?.every((entry) => entry.MessageAttributes === undefined) ?? false,
  ReceiveMessageCommand: () => true,
  DeleteMessageBatchCommand: () => true,
  ChangeMessageVisibilityBatchCommand: () => true,
  GetQueueAttributesCommand: () => true,
  GetItemCommand: () => true,
  UpdateItemCommand: () => true,
};

/** Headers that differ from request to request. */
const PER_REQUEST =
  /^(authorization|content-length|x-amz-(date|content-sha256|security-token)|amz-sdk-.*|x-amzn-trace-id|traceparent|tracestate|baggage)$/i;

/** The longest pause before the SDK repeats a failed request. The SDK's own first retry has the same longest pause. */
const PAUSE_MILLISECONDS = 100;

/** The fast path of each client that has one. */
const FAST_PATHS = new WeakMap<object, (commandName: string, input: Input) => Promise<unknown>>();

/**
 * Gives a client of the SDK a fast path for the commands that a run sends most often. `sendCommand` uses the fast path.
 *
 * The SDK makes the first request of each command. That request is the blueprint of the others: their endpoint and
 * their headers are the same. The fast path then only writes the input as JSON, signs the request and passes it to the
 * client's request handler. A request then takes half of the CPU time, and apart from the tasks themselves, a function
 * spends most of its CPU time on requests.
 *
 * If the response to a request is not 200, the SDK repeats the request, because the SDK knows all errors and retries.
 * So such a request has one attempt more than without the fast path.
 *
 * The fast path knows one protocol: AWS JSON 1.0. If the installed SDK uses another protocol, the SDK makes every
 * request, and each one counts as a fallback.
 *
 * @param blueprints The map in which the fast path stores its blueprints. Clients with the same settings can share one
 *   map.
 * @param onFallback Called for each request that the fast path should have made and that the SDK makes instead.
 * @example useFastPath(new SQSClient({}), new Map(), () => fallbacks++)
 */
export function useFastPath(
  client: SQSClient | DynamoDBClient,
  blueprints: Blueprints,
  onFallback: () => void = () => {},
): void {
  const speaksKnownProtocol = client.config.protocol.getShapeId() === KNOWN_PROTOCOL.id;
  const sendDirectly = directly(client);
  /** The names of blueprints that cannot be made, because the requests do not have the expected form. */
  const unknownForms = new Set<string>();
  FAST_PATHS.set(client, async (commandName, input) => {
    if (PLAIN[commandName]?.(input) !== true) return undefined;
    const name = nameOf(commandName, input);
    const blueprint = blueprints.get(name);
    const answer = blueprint === undefined ? undefined : await sendDirectly(blueprint, input);
    if (answer?.tag === "output") return answer.output;
    if (answer?.tag === "failed" || !speaksKnownProtocol || unknownForms.has(name)) onFallback();
    return undefined;
  });
  if (!speaksKnownProtocol) return;
  // The middleware stacks of the clients differ in the types of their commands only.
  const stack = client.middlewareStack as SQSClient["middlewareStack"];
  stack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        const input = args.input as object as Input;
        const name = nameOf(commandName, input);
        if (PLAIN[commandName]?.(input) === true && !blueprints.has(name) && !unknownForms.has(name)) {
          const blueprint = toBlueprint(args.request as Request, commandName, input);
          if (blueprint === undefined) unknownForms.add(name);
          else blueprints.set(name, blueprint);
        }
        return await next(args);
      },
    // This step runs after the SDK has signed the request, because the blueprint takes its scope from the signature.
    { step: "finalizeRequest", priority: "low", name: "fastPathBlueprint" },
  );
}

/**
 * The class of a command. The fast path creates no instance, because creating an instance takes 5 % of a request's CPU
 * time.
 */
type CommandClass<CommandInput, Output> = new (
  input: CommandInput,
) => { resolveMiddleware(...parts: never[]): (args: never) => Promise<{ readonly output: Output }> };

/**
 * Sends a command and returns its output. If the client has a fast path, the command takes it. Otherwise the SDK sends
 * the command.
 *
 * @throws The errors of the SDK.
 * @example await sendCommand(client, GetItemCommand, { TableName: "ledger", Key: { pk: { S: "a" }, sk: { S: "b" } } })
 */
export async function sendCommand<CommandInput extends object, Output>(
  client: SQSClient | DynamoDBClient,
  Command: CommandClass<CommandInput, Output>,
  input: CommandInput,
): Promise<Output> {
  const answered = await FAST_PATHS.get(client)?.(Command.name, input as Input);
  if (answered !== undefined) return answered as Output;
  // The SDK does not use its cache of middleware for a request with options. So only a long poll has options.
  const { WaitTimeSeconds } = input as Input;
  const options = WaitTimeSeconds ? [{ requestTimeout: requestTimeoutOf({ WaitTimeSeconds }) }] : [];
  // The `send` methods of the clients differ in the types of their commands only.
  return (await (client as SQSClient).send(new Command(input) as never, ...options)) as Output;
}

/** The name of a blueprint. It contains the queue or the table, because each can have its own endpoint. */
const nameOf = (command: string, { QueueUrl, TableName }: Input): string => `${command} ${QueueUrl ?? TableName}`;

/** The blueprint of a request, or `undefined` if the request does not have the expected form. */
function toBlueprint(request: Request, commandName: string, input: Input): Blueprint | undefined {
  if (!isKnown(request, commandName, input)) return undefined;
  const { method, protocol, hostname, port, path, query, headers } = request;
  const scope = /Credential=[^/]+\/\d+\/(?<region>[^/]+)\/(?<service>[^/]+)\//.exec(
    headers.authorization ?? "",
  )?.groups;
  if (scope?.region === undefined || scope.service === undefined) return undefined;
  const common = Object.fromEntries(Object.entries(headers).filter(([name]) => !PER_REQUEST.test(name)));
  return {
    request: { method, protocol, hostname, ...(port !== undefined && { port }), path, query, headers: common },
    scope: { region: scope.region, service: scope.service },
  };
}

/** Whether a request has the expected form: a header names the action, and the body is the input as JSON. */
function isKnown({ method, headers, body }: Request, commandName: string, input: Input): boolean {
  const action = commandName.replace(/Command$/, "");
  if (method !== "POST" || headers["content-type"] !== KNOWN_PROTOCOL.contentType) return false;
  if (headers["x-amz-target"]?.split(".").at(-1) !== action) return false;
  try {
    const text = typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array);
    return isDeepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(input)));
  } catch {
    return false;
  }
}

/**
 * The result of a request.
 *
 * - `output`: the output of the command.
 * - `error`: the condition of an update was false. The SDK repeats the request, because only the SDK throws the right
 *   error class.
 * - `failed`: anything else. The SDK repeats the request, and the request counts as a fallback.
 */
type Answer = { readonly tag: "output"; readonly output: unknown } | { readonly tag: "error" | "failed" };

/**
 * Returns a function that sends a request made from a blueprint. If it returns no output, the SDK must send the
 * request.
 */
function directly({ config }: SQSClient | DynamoDBClient) {
  const { credentials, requestHandler, streamCollector } = config;
  // This middleware adds the trace header by which Lambda detects recursive loops.
  const handle = recursionDetectionMiddleware()(
    ({ request, input }) =>
      requestHandler.handle(request as never, { requestTimeout: requestTimeoutOf(input as Input) }) as never,
    {},
  );
  return async ({ request, scope }: Blueprint, input: Input): Promise<Answer> => {
    try {
      // The SDK sets the offset when it finds that this machine's clock differs from the clock of AWS.
      const now = new Date(Date.now() + config.systemClockOffset);
      const headers = { ...request.headers, "X-Amz-Date": now.toISOString().replace(/[:-]|\.\d+/g, "") };
      const whole = { ...request, ...scope, headers, body: Buffer.from(JSON.stringify(input)) };
      const signed = new RequestSigner(whole, await credentials()).sign();
      const { response } = await handle({ request: signed, input });
      const { statusCode, body } = response as { statusCode: number; body: unknown };
      const text = Buffer.from(await streamCollector(body)).toString();
      if (statusCode === 200) {
        return { tag: "output", output: JSON.parse(text, text.includes('"BinaryValue"') ? toBytes : undefined) };
      }
      if (text.includes("ConditionalCheckFailedException")) return { tag: "error" };
    } catch {
      // If the SDK fails as well, it reports the error.
    }
    await setTimeout(PAUSE_MILLISECONDS * Math.random());
    return { tag: "failed" };
  };
}

const toBytes = (key: string, value: unknown): unknown =>
  key === "BinaryValue" && typeof value === "string" ? Buffer.from(value, "base64") : value;
