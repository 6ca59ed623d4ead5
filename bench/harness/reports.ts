import type { InvocationReport } from "./probe-reports.ts";

type Reports = readonly InvocationReport[];

const ofConsumer = (reports: Reports) => reports.filter((report) => report.function === "consumer");

/** What Lambda would bill for the consumer: its invocations' durations times its memory. */
export function billedGigabyteSeconds(reports: Reports, memoryMb: number): number {
  const seconds = ofConsumer(reports).reduce((sum, { startedAt, endedAt }) => sum + (endedAt - startedAt) / 1_000, 0);
  return (seconds * memoryMb) / 1_024;
}

/** Of the first attempt's start, and the last one's end, in milliseconds since 1970. */
export function attemptSpan(reports: Reports): { readonly first: number; readonly last: number } {
  const times = ofConsumer(reports).flatMap(({ attempts }) => attempts.map(([at]) => at));
  return { first: times.reduce((a, b) => Math.min(a, b)), last: times.reduce((a, b) => Math.max(a, b)) };
}

/**
 * The share of the slots' time in which an attempt was under way, from the first attempt to the moment at which the last
 * one began: after it, nothing is left that a free slot could take.
 */
export function busyShare(reports: Reports, slots: number): number {
  const changes = ofConsumer(reports)
    .flatMap(({ attempts }) => attempts)
    .sort(([a], [b]) => a - b);
  const first = changes[0]?.[0];
  const last = changes.findLast(([, change]) => change === 1)?.[0];
  if (first === undefined || last === undefined || last === first) return 0;
  let busy = 0;
  let level = 0;
  let since = first;
  for (const [at, change] of changes) {
    if (at > last) break;
    busy += level * (at - since);
    since = at;
    level += change;
  }
  return busy / (slots * (last - first));
}

/**
 * Requests for each 1,000 items, by service and by action: those of the functions, as they were counted at their HTTP
 * client, and those that the event source mappings make on AWS (a receive for each batch, a delete for each ten).
 */
export function requestsPerThousand(reports: Reports, items: number): Record<string, number> {
  const counts = new Map<string, number>();
  const add = (action: string, by: number) => counts.set(action, (counts.get(action) ?? 0) + by);
  for (const { requests, records, failed } of reports) {
    for (const [target, count] of Object.entries(requests)) {
      const [service = "", action = ""] = target.split(".");
      const name = service.startsWith("DynamoDB") ? "DynamoDB" : "SQS";
      add(name, count);
      add(`${name} ${action}`, count);
    }
    const deletes = Math.ceil((records - failed) / 10);
    add("SQS", 1 + deletes);
    add("SQS mapping", 1 + deletes);
  }
  return Object.fromEntries([...counts].map(([action, count]) => [action, (1_000 * count) / items]));
}

/** CPU time for an item, of the invocations of one function. */
export function cpuMicroseconds(reports: Reports, name: InvocationReport["function"], items: number): number {
  const seconds = reports.filter((each) => each.function === name).reduce((sum, each) => sum + each.cpuSeconds, 0);
  return (1e6 * seconds) / items;
}
