import { SluiceError, toError } from "../../shared/base/errors.ts";
import type { SendRequest } from "../targets/aws-service.ts";
import type { RunLine } from "./local-log.ts";
import type { LogFilter } from "./log-filter.ts";
import { type LogOrigin, parseLogLine } from "./log-line.ts";

/** Events can arrive this much later than their times say. */
const LATE_MILLISECONDS = 15_000;

interface Events {
  readonly events?: readonly {
    readonly eventId: string;
    readonly timestamp: number;
    readonly message: string;
  }[];
  readonly nextToken?: string;
}

/**
 * Reads the log group of one function, oldest lines first.
 *
 * It polls with `FilterLogEvents`, which costs nothing, while a session of Live Tail is billed by the minute.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
 */
export class StackLog {
  readonly #send: SendRequest;
  readonly #group: string;
  readonly #from: LogOrigin;
  readonly #pattern: string | undefined;
  /** The times of the events that the next read can find again, by their ids. */
  readonly #seen = new Map<string, number>();
  #since: number;

  /**
   * @param group The name of the log group.
   * @param since Milliseconds since 1970: earlier lines are left out.
   */
  constructor(send: SendRequest, group: string, from: LogOrigin, options: { since: number; filter: LogFilter }) {
    this.#send = send;
    this.#group = group;
    this.#from = from;
    this.#since = options.since;
    this.#pattern = patternOf(options.filter);
  }

  /**
   * Yields the lines since the last call, in groups.
   *
   * @param until Milliseconds since 1970: later lines are left out. Default: now.
   * @throws {SluiceError} `AWS_UNREACHABLE`: CloudWatch Logs refused a request.
   */
  async *read(until: number | undefined, signal: AbortSignal): AsyncGenerator<readonly RunLine[]> {
    let nextToken: string | undefined;
    const first = this.#since;
    let latest = first + LATE_MILLISECONDS;
    do {
      const answer = await this.#filter(
        {
          startTime: first,
          ...(until !== undefined && { endTime: until }),
          ...(this.#pattern !== undefined && { filterPattern: this.#pattern }),
          ...(nextToken !== undefined && { nextToken }),
        },
        signal,
      );
      const lines: RunLine[] = [];
      for (const { eventId, timestamp, message } of answer.events ?? []) {
        latest = Math.max(latest, timestamp);
        if (this.#seen.has(eventId)) continue;
        this.#seen.set(eventId, timestamp);
        const line = parseLogLine(message, this.#from);
        if (line !== undefined) lines.push({ line: { ...line, at: line.at ?? timestamp }, run: line.run });
      }
      this.#forget(latest - LATE_MILLISECONDS);
      yield lines;
      ({ nextToken } = answer);
    } while (nextToken !== undefined && !signal.aborted);
    this.#since = latest - LATE_MILLISECONDS;
  }

  async #filter(input: object, signal: AbortSignal): Promise<Events> {
    try {
      const text = await this.#send(
        { "content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.FilterLogEvents" },
        JSON.stringify({ logGroupName: this.#group, ...input }),
        signal,
      );
      return JSON.parse(text) as Events;
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw new SluiceError("AWS_UNREACHABLE", this.#explained(toError(cause)), { cause });
    }
  }

  #explained({ name, message }: Error): string {
    const group = this.#group;
    return name === "ResourceNotFoundException"
      ? `the log group ${group} does not exist: it was deleted after the stack had created it. Without it, the function ` +
          `cannot log. Create it with: aws logs create-log-group --log-group-name ${group}`
      : `the log group ${group} cannot be read: ${name}: ${message}. The command needs the right logs:FilterLogEvents on ` +
          "the log groups of the stack. Check the credentials (--profile) and the region (--region)";
  }

  /** Forgets the events before a time, in the order in which they were read: which is about that of their times. */
  #forget(before: number): void {
    for (const [id, timestamp] of this.#seen) {
      if (timestamp >= before) return;
      this.#seen.delete(id);
    }
  }
}

/**
 * The pattern with which CloudWatch leaves out most of the lines that are not wanted. The command looks at the others.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
function patternOf({ run, item, onlyErrors }: LogFilter): string | undefined {
  if (item !== undefined) {
    const [, partition, page, index] = /(?:^|\/)(?:p(\d+)\/)?(\d+)\/(\d+)$/.exec(item) ?? [];
    const ofRun = run === undefined ? "" : `$.run = ${JSON.stringify(run)} && `;
    const ofPartition = partition === undefined ? "" : `$.partition = ${partition} && `;
    return `{ ${ofRun}${ofPartition}$.page = ${page} && $.index = ${index} }`;
  }
  return onlyErrors ? '?ERROR ?CRITICAL ?FATAL ?Error ?error ?"dead letter" ?"timed out"' : undefined;
}
