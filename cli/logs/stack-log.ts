import type { SendRequest } from "../targets/aws-service.ts";
import type { RunLine } from "./local-log.ts";
import type { LogFilter } from "./log-filter.ts";
import { type LogOrigin, parseLogLine } from "./log-line.ts";

/** Events can arrive this much later than their times say. */
const LATE_MILLISECONDS = 15_000;

/** How many events that were printed are remembered, to print none of them twice. */
const REMEMBERED = 20_000;

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
  readonly #seen = new Set<string>();
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
   */
  async *read(until: number | undefined, signal: AbortSignal): AsyncGenerator<readonly RunLine[]> {
    let nextToken: string | undefined;
    const first = this.#since;
    let latest = first + LATE_MILLISECONDS;
    do {
      const text = await this.#send(
        { "content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.FilterLogEvents" },
        JSON.stringify({
          logGroupName: this.#group,
          startTime: first,
          ...(until !== undefined && { endTime: until }),
          ...(this.#pattern !== undefined && { filterPattern: this.#pattern }),
          ...(nextToken !== undefined && { nextToken }),
        }),
        signal,
      );
      const answer = JSON.parse(text) as Events;
      const lines: RunLine[] = [];
      for (const { eventId, timestamp, message } of answer.events ?? []) {
        latest = Math.max(latest, timestamp);
        if (this.#seen.has(eventId)) continue;
        this.#seen.add(eventId);
        const line = parseLogLine(message, this.#from);
        if (line !== undefined) lines.push({ line: { ...line, at: line.at ?? timestamp }, run: line.run });
      }
      this.#forget();
      yield lines;
      ({ nextToken } = answer);
    } while (nextToken !== undefined && !signal.aborted);
    this.#since = latest - LATE_MILLISECONDS;
  }

  #forget(): void {
    for (const id of this.#seen) {
      if (this.#seen.size <= REMEMBERED) return;
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
