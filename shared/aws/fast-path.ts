import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { recursionDetectionMiddleware } from "@aws-sdk/core/client";
import { RequestSigner } from "./request-signer.ts";
import { requestTimeoutOf } from "./timeouts.ts";

/** The one protocol that the fast path knows. https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html */
const KNOWN_PROTOCOL = { id: "aws.protocols#awsJson1_0", contentType: "application/x-amz-json-1.0" } as const;

/** A request of the SDK's: what matters here of its `HttpRequest`. */
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

/** What all requests of a command to one queue or table have in common, and for what they are signed. */
interface Blueprint {
  readonly request: Request;
  readonly scope: { readonly region: string; readonly service: string };
}

/** The blueprints of the requests that were seen. Clients that are set up alike may share them. */
export type Blueprints = Map<string, Blueprint>;

type Input = Readonly<Record<string, unknown>>;

/**
 * Commands that are sent as JSON of their input as it stands, and for which inputs. The SDK turns bytes into text, and
 * nothing else: the ledger has none, and messages have them in attributes alone.
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

/** Headers of which each request has its own. */
const PER_REQUEST =
  /^(authorization|content-length|x-amz-(date|content-sha256|security-token)|amz-sdk-.*|x-amzn-trace-id|traceparent|tracestate|baggage)$/i;

/** The SDK waits up to as long before its first retry. */
const PAUSE_MILLISECONDS = 100;

/** The short ways of clients that have one. */
const WAYS = new WeakMap<object, (commandName: string, input: Input) => Promise<unknown>>();

/**
 * Gives a client of the SDK a short way for the commands of which a run needs most, which `ask` takes. The first request
 * of a command is the SDK's own, and shows what its others have in common: where they go, and their headers. Those are
 * only written as JSON, signed, and given to the client's request handler, which takes half of the CPU time; and beside
 * the tasks themselves, requests are most of what a function is paid for. What is not answered by 200 is asked again by
 * the SDK, which knows all errors, and tries again as often as it is set up to: one attempt more than without.
 *
 * Only requests of the protocol that is known here go this way: AWS JSON 1.0, with the input as it stands as their body.
 * Where a version of the SDK speaks another, every request is the SDK's, and counts as a fallback.
 *
 * @param blueprints What is known of the requests of clients that are set up alike.
 * @param onFallback Called for each request that would go the short way, and that the SDK has to make.
 * @example useFastPath(new SQSClient({}), new Map(), () => fallbacks++)
 */
export function useFastPath(
  client: SQSClient | DynamoDBClient,
  blueprints: Blueprints,
  onFallback: () => void = () => {},
): void {
  const speaksKnownProtocol = client.config.protocol.getShapeId() === KNOWN_PROTOCOL.id;
  const askDirectly = directly(client);
  /** Commands whose requests do not look as they are known here. */
  const strange = new Set<string>();
  WAYS.set(client, async (commandName, input) => {
    if (PLAIN[commandName]?.(input) !== true) return undefined;
    const name = nameOf(commandName, input);
    const blueprint = blueprints.get(name);
    const answer = blueprint === undefined ? undefined : await askDirectly(blueprint, input);
    if (answer?.tag === "output") return answer.output;
    if (answer?.tag === "failed" || !speaksKnownProtocol || strange.has(name)) onFallback();
    return undefined;
  });
  if (!speaksKnownProtocol) return;
  // The clients' stacks differ in the types of their commands alone.
  const stack = client.middlewareStack as SQSClient["middlewareStack"];
  stack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        const input = args.input as object as Input;
        const name = nameOf(commandName, input);
        if (PLAIN[commandName]?.(input) === true && !blueprints.has(name) && !strange.has(name)) {
          const blueprint = toBlueprint(args.request as Request, commandName, input);
          if (blueprint === undefined) strange.add(name);
          else blueprints.set(name, blueprint);
        }
        return await next(args);
      },
    // Behind the signature, which tells what it is for.
    { step: "finalizeRequest", priority: "low", name: "fastPathBlueprint" },
  );
}

/** The class of a command. An instance has a middleware stack of its own, and takes a twentieth of a request to make. */
type CommandClass<CommandInput, Output> = new (
  input: CommandInput,
) => { resolveMiddleware(...parts: never[]): (args: never) => Promise<{ readonly output: Output }> };

/**
 * What a service answers to a command: by the client's short way if it has one, else by the SDK.
 *
 * @throws what the SDK throws.
 * @example await ask(client, GetItemCommand, { TableName: "ledger", Key: { pk: { S: "a" }, sk: { S: "b" } } })
 */
export async function ask<CommandInput extends object, Output>(
  client: SQSClient | DynamoDBClient,
  Command: CommandClass<CommandInput, Output>,
  input: CommandInput,
): Promise<Output> {
  const answered = await WAYS.get(client)?.(Command.name, input as Input);
  if (answered !== undefined) return answered as Output;
  // Options of a request's own keep the SDK from its cache of middleware: only a long poll has them.
  const { WaitTimeSeconds } = input as Input;
  const options = WaitTimeSeconds ? [{ requestTimeout: requestTimeoutOf({ WaitTimeSeconds }) }] : [];
  // The clients' methods differ in the types of their commands alone.
  return (await (client as SQSClient).send(new Command(input) as never, ...options)) as Output;
}

/** Each queue and table may have an endpoint of its own. */
const nameOf = (command: string, { QueueUrl, TableName }: Input): string => `${command} ${QueueUrl ?? TableName}`;

/** The blueprint of a request, or `undefined` where it is not a request as they are known here. */
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

/** Whether a request names its action in a header, and has its input as its body, as it stands. */
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

/** What came of a request: its output; an error that is an answer, for which the SDK has a class; or a failure. */
type Answer = { readonly tag: "output"; readonly output: unknown } | { readonly tag: "error" | "failed" };

/** Asks by a blueprint's requests. Where there is no output, the SDK should ask. */
function directly({ config }: SQSClient | DynamoDBClient) {
  const { credentials, requestHandler, streamCollector } = config;
  // Lambda finds a function that feeds itself by the trace in its requests.
  const handle = recursionDetectionMiddleware()(
    ({ request, input }) =>
      requestHandler.handle(request as never, { requestTimeout: requestTimeoutOf(input as Input) }) as never,
    {},
  );
  return async ({ request, scope }: Blueprint, input: Input): Promise<Answer> => {
    try {
      // By the clock of AWS, where the SDK has found that this one differs.
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
      // The SDK says what is wrong, should it fail as well.
    }
    await setTimeout(PAUSE_MILLISECONDS * Math.random());
    return { tag: "failed" };
  };
}

const toBytes = (key: string, value: unknown): unknown =>
  key === "BinaryValue" && typeof value === "string" ? Buffer.from(value, "base64") : value;
