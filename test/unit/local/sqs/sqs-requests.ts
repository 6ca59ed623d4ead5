import { SqsService, type SqsServiceOptions } from "../../../../local/sqs/sqs-service.ts";

/** A request's answer, as it goes to the client. */
export interface WireAnswer {
  readonly status: number;
  /** The header `x-amzn-query-error` of a refusal. */
  readonly queryError: string | undefined;
  readonly output: Record<string, unknown>;
}

/** The SQS of the engine without HTTP, with a clock that stands still unless a test sets it. */
export class SqsRequests {
  now = 1_000_000_000_000;
  readonly service: SqsService;

  constructor(options: Partial<SqsServiceOptions> = {}) {
    const urlOf = (name: string) => `http://sqs/000000000000/${name}`;
    this.service = new SqsService({ file: ":memory:", clock: () => this.now, ...options }, urlOf);
  }

  /** Sends a request whose answer arrives. The input is sent as JSON. */
  async ask(action: string, input: unknown = {}, headers: { readonly trace?: string } = {}): Promise<WireAnswer> {
    return await this.askWithBody(`AmazonSQS.${action}`, JSON.stringify(input), headers);
  }

  async askWithBody(
    target: string | undefined,
    body: string,
    { trace }: { readonly trace?: string } = {},
  ): Promise<WireAnswer> {
    const reply = await this.service.respond({ target, trace }, () => body, new AbortController().signal);
    if (reply === undefined) throw new Error("an injected fault lost the answer");
    return {
      status: reply.status,
      queryError: reply.headers["x-amzn-query-error"],
      // What is `undefined` is not sent.
      output: JSON.parse(JSON.stringify(reply.output)),
    };
  }

  /** What a successful request returns. */
  async output(action: string, input: unknown = {}): Promise<Record<string, unknown>> {
    const { status, output } = await this.ask(action, input);
    if (status !== 200) throw new Error(`${action} was refused: ${output.__type}: ${output.message}`);
    return output;
  }

  /** How a request is refused: `code: message`. */
  async refusal(action: string, input: unknown = {}): Promise<string> {
    const { status, output } = await this.ask(action, input);
    if (status === 200) return "not refused";
    return `${String(output.__type).replace(/^.*#/, "")}: ${output.message}`;
  }

  async attributes(QueueUrl: string, ...AttributeNames: string[]): Promise<Record<string, string>> {
    const { Attributes = {} } = await this.output("GetQueueAttributes", { QueueUrl, AttributeNames });
    return Attributes as Record<string, string>;
  }

  close(): void {
    this.service.store.close();
  }
}
