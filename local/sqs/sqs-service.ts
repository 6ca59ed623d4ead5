import { setTimeout } from "node:timers/promises";
import { stateFailureOf } from "../state-failure.ts";
import { type ActionContext, type Answer, actions } from "./api-actions.ts";
import type { AwsBehaviour } from "./aws-behaviour.ts";
import { FifoThroughput } from "./fifo-throughput.ts";
import { Faults } from "./injected-faults.ts";
import { QueueStore } from "./queue-store.ts";
import { type Input, parseInput } from "./request-input.ts";
import { RequestScheduler } from "./request-scheduler.ts";
import { SqsError } from "./sqs-error.ts";

/** Options of the service. */
export interface SqsServiceOptions {
  /** The SQLite file that holds the queues, or `:memory:`. */
  readonly file: string;
  /** Returns milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: () => number;
  /** Faults to inject. Default: none. */
  readonly faults?: Faults;
  /** Memory for pages of the file, in MiB. Default: 64. */
  readonly cacheMegabytes?: number;
  /** Called when a request failed because the disk is full or the file is damaged, with the error. */
  readonly onStateFailure?: (error: unknown) => void;
  /** What the service does as AWS does, in addition to what it always does. Default: nothing. */
  readonly awsBehaviour?: AwsBehaviour;
}

/** The headers of a request that decide what happens. */
export interface RequestHeaders {
  /** `X-Amz-Target`, such as `AmazonSQS.SendMessage`. */
  readonly target: string | undefined;
  /** `X-Amzn-Trace-Id`: the X-Ray trace of the sender. */
  readonly trace: string | undefined;
}

/** The reply to a request. */
export interface Reply extends Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** SQS, without a protocol: requests arrive over HTTP or from this process. */
export class SqsService {
  readonly store: QueueStore;
  readonly faults: Faults;
  readonly #clock: () => number;
  readonly #scheduler = new RequestScheduler();
  readonly #purges = new Map<string, number>();
  readonly #deletions = new Map<string, number>();
  readonly #urlOf: (name: string) => string;
  readonly #fifoThroughput: FifoThroughput | undefined;
  readonly #onStateFailure: (error: unknown) => void;

  /**
   * @param urlOf The URL of a queue.
   * @throws Error The file cannot be opened.
   */
  constructor(
    { file, clock, faults, cacheMegabytes, onStateFailure, awsBehaviour }: SqsServiceOptions,
    urlOf: (name: string) => string,
  ) {
    this.#urlOf = urlOf;
    this.#onStateFailure = onStateFailure ?? (() => {});
    this.#clock = clock ?? Date.now;
    this.faults = faults ?? new Faults({ seed: 0 });
    this.store = new QueueStore({
      file,
      clock: this.#clock,
      faults: this.faults,
      cacheMegabytes,
      awsBehaviour,
    });
    this.#fifoThroughput = awsBehaviour?.fifoThroughput === true ? new FifoThroughput(this.#clock) : undefined;
  }

  /**
   * Answers a request. A refusal is an answer too.
   *
   * @param headers The headers that decide what happens.
   * @param read Reads the request's body.
   * @param gone Fires when the client is gone.
   * @returns the answer. `undefined` if an injected fault lost the answer: the connection must then be closed.
   */
  async respond(
    { target, trace }: RequestHeaders,
    read: () => string | Promise<string>,
    gone: AbortSignal,
  ): Promise<Reply | undefined> {
    try {
      const action = actionOf(target);
      const input = parseInput(await read());
      const fault = this.faults.ofRequest(action, queueOf(input));
      if (fault === "throttle") {
        throw new SqsError("RequestThrottled", "The request was throttled (an injected fault).");
      }
      this.#fifoThroughput?.count(action, queueOf(input));
      if (fault === "internalFailure") throw new SqsError("InternalFailure", "The service failed (an injected fault).");
      if (fault === "timeout") {
        await setTimeout(this.faults.settings.timeoutMs, undefined, { signal: gone }).catch(() => {});
        return undefined;
      }
      const answer = await this.#scheduler.schedule(isSend(action) ? "send" : "other", () =>
        this.#perform(action, input, { signal: gone, trace }),
      );
      // The receives of a lost response stay in effect. They are undone only if the client itself is gone.
      return fault === "lostResponse" ? undefined : { status: 200, headers: {}, ...answer };
    } catch (error) {
      if (stateFailureOf(error) !== undefined) this.#onStateFailure(error);
      return refusal(error);
    }
  }

  #perform(action: string, input: Input, request: Pick<ActionContext, "signal" | "trace">): Answer | Promise<Answer> {
    const perform = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (perform === undefined) {
      throw new SqsError("UnknownOperationException", `The action ${action || "(none)"} is not known here.`);
    }
    return perform(input, {
      ...request,
      store: this.store,
      clock: this.#clock,
      urlOf: this.#urlOf,
      purges: this.#purges,
      deletions: this.#deletions,
    });
  }
}

function refusal(error: unknown): Reply {
  const known = error instanceof SqsError ? error : new SqsError("InternalFailure", `The server failed: ${error}`);
  return {
    status: known.status,
    headers: { "x-amzn-query-error": `${known.queryCode};${known.senderFault ? "Sender" : "Receiver"}` },
    output: { __type: known.type, message: known.message },
  };
}

function actionOf(target: string | undefined): string {
  const prefix = "AmazonSQS.";
  return target?.startsWith(prefix) ? target.slice(prefix.length) : "";
}

function queueOf(input: Input): string | undefined {
  const url = input.QueueUrl ?? input.QueueName;
  return typeof url === "string" ? url.slice(url.lastIndexOf("/") + 1) : undefined;
}

const isSend = (action: string): boolean => action === "SendMessage" || action === "SendMessageBatch";
