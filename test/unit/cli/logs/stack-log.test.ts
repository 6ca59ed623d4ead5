import { expect, test } from "vitest";
import type { RunLine } from "../../../../cli/logs/local-log.ts";
import { merged } from "../../../../cli/logs/merged.ts";
import { StackLog } from "../../../../cli/logs/stack-log.ts";

const never = new AbortController().signal;
const ALL = { run: undefined, item: undefined, onlyErrors: false };

/** CloudWatch Logs that answers with these pages, and keeps the requests. */
function logsWith(...pages: readonly object[]) {
  const requests: Record<string, unknown>[] = [];
  const send = async (headers: Readonly<Record<string, string>>, body: string) => {
    expect(headers["x-amz-target"]).toBe("Logs_20140328.FilterLogEvents");
    requests.push(JSON.parse(body));
    return JSON.stringify(pages[requests.length - 1] ?? { events: [] });
  };
  return { send, requests };
}

const event = (eventId: string, timestamp: number, message = eventId) => ({ eventId, timestamp, message });

async function messagesOf(reader: AsyncIterable<readonly RunLine[]>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const lines of reader) all.push(...lines.map(({ line }) => line.message));
  return all;
}

test("all pages of a log group are read, and a page may be empty", async () => {
  const { send, requests } = logsWith(
    { events: [event("a", 1_000)], nextToken: "2" },
    { nextToken: "3" },
    { events: [event("m", 1_001, '{"_aws":{}}'), event("b", 1_002)] },
  );
  const log = new StackLog(send, "group", "consumer", { since: 500, filter: ALL });
  expect(await messagesOf(log.read(9_000, never))).toEqual(["a", "b"]);
  expect(requests).toEqual([
    { logGroupName: "group", startTime: 500, endTime: 9_000 },
    { logGroupName: "group", startTime: 500, endTime: 9_000, nextToken: "2" },
    { logGroupName: "group", startTime: 500, endTime: 9_000, nextToken: "3" },
  ]);
});

test("the next read begins before the latest line, because lines arrive late, and yields each line once", async () => {
  const { send, requests } = logsWith(
    { events: [event("a", 100_000)] },
    { events: [event("late", 99_000), event("a", 100_000), event("b", 100_001)] },
    {},
  );
  const log = new StackLog(send, "group", "consumer", { since: 0, filter: ALL });
  expect(await messagesOf(log.read(undefined, never))).toEqual(["a"]);
  expect(await messagesOf(log.read(undefined, never))).toEqual(["late", "b"]);
  expect(await messagesOf(log.read(undefined, never))).toEqual([]);
  expect(requests.map(({ startTime }) => startTime)).toEqual([0, 85_000, 85_001]);
});

test("each line is yielded once, also where many lines are written in the time that is read again", async () => {
  const many = Array.from({ length: 25_000 }, (_, index) => event(`${index}`, 100_000 + Math.floor(index / 10)));
  const { send } = logsWith({ events: many }, { events: many }, {});
  const log = new StackLog(send, "group", "consumer", { since: 0, filter: ALL });
  expect(await messagesOf(log.read(undefined, never))).toHaveLength(25_000);
  expect(await messagesOf(log.read(undefined, never))).toEqual([]);
});

test.each([
  [{ ...ALL, run: "r" }, undefined],
  [{ ...ALL, run: "r", item: "r/0/3" }, '{ $.run = "r" && $.page = 0 && $.index = 3 }'],
  [{ ...ALL, run: "r", item: "p2/0/3" }, '{ $.run = "r" && $.partition = 2 && $.page = 0 && $.index = 3 }'],
  [{ ...ALL, onlyErrors: true }, '?ERROR ?CRITICAL ?FATAL ?Error ?error ?"dead letter" ?"timed out"'],
])("CloudWatch leaves out what %o does not want", async (filter, pattern) => {
  const { send, requests } = logsWith({});
  await messagesOf(new StackLog(send, "group", "consumer", { since: 0, filter }).read(undefined, never));
  expect(requests[0]?.filterPattern).toBe(pattern);
});

test("logs in groups are merged by their times, without reading one to its end first", async () => {
  const read: string[] = [];
  async function* log(...groups: readonly (readonly number[])[]): AsyncGenerator<readonly RunLine[]> {
    for (const times of groups) {
      read.push(times.join());
      yield times.map((at) => ({
        run: undefined,
        line: {
          from: "consumer",
          level: "info",
          message: `${at}`,
          at,
          fields: {},
          run: undefined,
          item: undefined,
          attempt: undefined,
        },
      }));
    }
  }
  const reader = merged([log([1, 4], [], [9]), log([2, 3], [5, 6], [10])]);
  const first: string[] = [];
  for await (const lines of reader) {
    first.push(...lines.map(({ line }) => line.message));
    if (first.length >= 3) break;
  }
  expect(first).toEqual(["1", "2", "3"]);
  expect(read).toEqual(["1,4", "2,3"]);
  expect(await messagesOf(merged([log([1, 4], [], [9]), log([2, 3], [5, 6], [10])]))).toEqual(
    [1, 2, 3, 4, 5, 6, 9, 10].map(String),
  );
  expect(await messagesOf(merged([log(), log([1])]))).toEqual(["1"]);
});
