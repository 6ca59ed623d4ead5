import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import {
  GetQueueAttributesCommand,
  ListQueuesCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test, vi } from "vitest";
import { readOutputs } from "../../shared/definition/stack-outputs.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import type { Runs } from "../../shared/ledger/runs.ts";
import { PATIENTLY } from "../helpers/patience.ts";
import { cdk, dynamoDbClient, runsIn, sluice, sqsClient } from "./aws.ts";

const WORKFLOWS = ["every-minute", "slow", "unreliable"] as const;
type Name = (typeof WORKFLOWS)[number];

const context = ["--context", "workflows=workflows,test/deploy/workflows"];
const sqs = sqsClient();
const dynamoDb = dynamoDbClient();
afterAll(() => {
  sqs.destroy();
  dynamoDb.destroy();
});

const outputsFile = join(inject("workspace"), "outputs.json");
const outputsOf = (name: Name) => {
  const outputs = JSON.parse(readFileSync(outputsFile, "utf8"));
  return readOutputs(name, outputs[`sluice-${name}`]);
};
const runsOf = (name: Name): Runs => runsIn(dynamoDb, outputsOf(name).table);

/** Polls until there is something: the emulator has no other way to tell. */
const until = <T>(what: () => Promise<T>) => vi.waitFor(what, { ...PATIENTLY, interval: 250 });

/** A run, once it has completed. */
const completed = (runs: Runs, id: string): Promise<RunRecord> =>
  until(async () => {
    const run = await runs.get(id);
    expect(run.status, JSON.stringify(await runs.counts(run))).toBe("completed");
    return run;
  });

/** The first run that the schedule started after another. */
const scheduledAfter = (earlier: string): Promise<RunRecord> =>
  until(async () => {
    const [latest] = await runsOf("every-minute").latest(1);
    if (latest === undefined || latest.id <= earlier) throw new Error(`the schedule started no run after ${earlier}`);
    return latest;
  });

interface DeadLetter {
  readonly run: string;
  readonly item: { readonly number: number };
  readonly dead: { readonly reason: string; readonly failures: readonly { name: string; message: string }[] };
}

/** All the dead letters of a workflow, which are received and left where they are. */
async function deadLetters(name: Name): Promise<readonly DeadLetter[]> {
  const QueueUrl = outputsOf(name).deadLetterQueueUrl;
  const bodies = new Map<string, string>();
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 60 }),
    );
    if (Messages.length === 0) return [...bodies.values()].map((body) => JSON.parse(body));
    for (const { MessageId = "", Body = "" } of Messages) bodies.set(MessageId, Body);
  }
}

/** Why the items of a run died, by their number. */
const reasonsOf = (deadLetters: readonly DeadLetter[], run: string) =>
  deadLetters
    .filter((deadLetter) => deadLetter.run === run)
    .map(({ item, dead }) => [item.number, dead.reason, dead.failures.length, dead.failures.at(-1)?.message])
    .sort(([a], [b]) => Number(a) - Number(b));

describe("a deployed workflow", () => {
  beforeAll(async () => {
    await cdk("bootstrap", "aws://000000000000/us-east-1", ...context);
    await cdk("deploy", ...WORKFLOWS, ...context, "--require-approval", "never", "--outputs-file", outputsFile);
  });

  test("says where it is", () => {
    for (const name of WORKFLOWS) {
      expect(outputsOf(name).workflow).toBe(name);
      expect(outputsOf(name).queueUrl).toContain(inject("endpoint"));
    }
  });

  test("is started from the command line, and ends every kind of bad item as it must", async () => {
    showLogOnFailure();
    // The first 50 items: the kinds after them crash their consumer, which takes minutes.
    const [asked] = await sluice("start", "unreliable", "--stack", "--items", "50", "--json");
    expect(asked).toMatchObject({ type: "requested", workflow: "unreliable", stack: "sluice-unreliable" });
    const runs = runsOf("unreliable");
    const run = await completed(runs, String(asked?.run));
    expect(await runs.counts(run)).toMatchObject({ produced: 50, succeeded: 45, dead: 5, pending: 0 });
    const reasons = reasonsOf(await deadLetters("unreliable"), run.id);
    expect(reasons.map(([number, reason]) => [number, reason])).toEqual([
      [3, "exhausted"],
      [11, "exhausted"],
      [19, "permanent"],
      [27, "exhausted"],
      [35, "exhausted"],
    ]);
    const [shown] = await sluice("status", run.id, "--stack", "sluice-unreliable", "--json");
    expect(shown).toMatchObject({ run: run.id, status: "completed", produced: 50, succeeded: 45, dead: 5 });
  });

  test("is paused from the command line: no task begins, and nothing is dropped", async () => {
    showLogOnFailure();
    const runs = runsOf("slow");
    await sluice("start", "slow", "--stack");
    await until(async () => {
      const [latest] = await runs.latest(1);
      expect(latest && (await runs.counts(latest)).succeeded).toBeGreaterThan(0);
    });
    const [paused] = await sluice("pause", "slow", "--stack", "--json");
    expect(paused?.message).toMatch(
      /^Run \S+ on stack sluice-slow is paused\. Continue it with: npx sluice resume \S+ --stack sluice-slow$/,
    );
    const [shown] = await sluice("status", "slow", "--stack", "--json");
    expect(shown).toMatchObject({ status: "paused", dead: 0, cancelled: 0 });
  });

  test("is started by its schedule, and completes with exact counts", async () => {
    showLogOnFailure();
    const started = await scheduledAfter("");
    expect(started.id).toMatch(/^scheduled-\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/);
    expect(`scheduled-${started.requestedAt}`).toBe(started.id);
    const run = await completed(runsOf("every-minute"), started.id);
    expect(await runsOf("every-minute").counts(run)).toEqual({
      produced: 300,
      succeeded: 294,
      dead: 6,
      cancelled: 0,
      // Three that fail each time fail once before the last; the six that wait lose no attempt.
      retried: 3,
      pending: 0,
      deadByReason: { permanent: 3, exhausted: 3 },
    });
  });

  test("leaves what failed in its dead-letter queue, with the reasons", async () => {
    const [run] = (await runsOf("every-minute").latest(10)).slice(-1);
    expect(reasonsOf(await deadLetters("every-minute"), run?.id ?? "")).toEqual([
      [0, "permanent", 1, "item 0 is refused"],
      [50, "exhausted", 2, "item 50 fails each time"],
      [100, "permanent", 1, "item 100 is refused"],
      [150, "exhausted", 2, "item 150 fails each time"],
      [200, "permanent", 1, "item 200 is refused"],
      [250, "exhausted", 2, "item 250 fails each time"],
    ]);
  });

  test("has its dead letters listed, shown, redriven with another item, and purged from the command line", async () => {
    showLogOnFailure();
    const where = ["--stack", "sluice-unreliable"] as const;
    const runs = runsOf("unreliable");
    const [run] = await runs.latest(1);
    if (run === undefined) throw new Error("no run of unreliable is known");
    // Those that were received above are hidden for a minute.
    const listed = await until(async () => {
      const lines = await sluice("dlq", ...where, "--by", "reason", "--json");
      expect(lines.at(-1)).toMatchObject({ type: "totals", deadLetters: 5, heldElsewhere: 0 });
      return lines;
    });
    expect(listed.slice(0, -1).map(({ name, count }) => [name, count])).toEqual([
      ["exhausted", 4],
      ["permanent", 1],
    ]);
    const [permanent] = await sluice("dlq", "list", ...where, "--reason", "permanent", "--json");
    const { id } = (permanent as { readonly example: { readonly id: string } }).example;
    const [shown] = await sluice("dlq", "show", id, ...where, "--json");
    expect(shown).toMatchObject({ type: "deadLetter", id, run: run.id, item: { number: 19 }, reason: "permanent" });

    const redriven = await sluice("dlq", "redrive", id, ...where, "--set", "kind=good", "--yes", "--json");
    expect(redriven.at(-1)).toMatchObject({ type: "redriven", moved: 1, edited: 1 });
    await until(async () => {
      const counts = await runs.counts(await runs.get(run.id));
      expect(counts).toMatchObject({ succeeded: 46, dead: 4, pending: 0 });
    });
    const [status] = await sluice("status", run.id, ...where, "--json");
    expect(status).toMatchObject({ status: "completed", succeeded: 46, dead: 4 });

    const purged = await sluice("dlq", "purge", ...where, "--no-backup", "--yes", "--json");
    expect(purged.at(-1)).toMatchObject({ type: "purged", deleted: 4 });
    expect((await sluice("dlq", ...where, "--json")).at(-1)).toMatchObject({ deadLetters: 0 });
  });

  test("is resumed and cancelled from the command line: it goes on, and drops what is queued", async () => {
    showLogOnFailure();
    const runs = runsOf("slow");
    const [paused] = await runs.latest(1);
    if (paused === undefined) throw new Error("no run was paused");
    const before = await runs.counts(paused);
    expect(paused.status).toBe("paused");
    // The tasks that were in flight at the pause have ended long ago. A run that works ends two tasks a second.
    await setTimeout(5_000);
    expect(await runs.counts(await runs.get(paused.id))).toEqual(before);
    expect(before.pending).toBeGreaterThan(0);
    await sluice("resume", paused.id, "--stack", "sluice-slow");
    await until(async () => {
      const run = await runs.get(paused.id);
      expect((await runs.counts(run)).succeeded).toBeGreaterThan(before.succeeded);
    });
    await sluice("cancel", paused.id, "--stack", "sluice-slow", "--yes", "--json");
    const cancelled = await until(async () => {
      const run = await runs.get(paused.id);
      expect(run.status, JSON.stringify(await runs.counts(run))).toBe("cancelled");
      return run;
    });
    const { produced, succeeded, cancelled: dropped, dead, pending } = await runs.counts(cancelled);
    expect({ produced, dead, pending, settled: succeeded + dropped }).toEqual({
      produced: 600,
      dead: 0,
      pending: 0,
      settled: 600,
    });
    expect(dropped).toBeGreaterThan(0);
  });

  test("is started again a minute later, as another run", async () => {
    showLogOnFailure();
    const [earlier] = (await runsOf("every-minute").latest(10)).slice(-1);
    const next = await scheduledAfter(earlier?.id ?? "");
    const run = await completed(runsOf("every-minute"), next.id);
    expect(await runsOf("every-minute").counts(run)).toMatchObject({ succeeded: 294, dead: 6 });
  });

  test("needed no right that its roles lack, where rights are enforced", async () => {
    const log = readFileSync(inject("ministackLog"), "utf8");
    expect(log.match(/is not authorized to perform: \S+/g) ?? []).toEqual([]);
    const nobody = new SQSClient({
      endpoint: inject("endpoint"),
      region: "us-east-1",
      credentials: { accessKeyId: "AKIANOBODY0000000000", secretAccessKey: "none" },
    });
    await expect(nobody.send(new ListQueuesCommand({}))).rejects.toThrow();
    nobody.destroy();
  });

  test("is gone when it is destroyed", async () => {
    const before = WORKFLOWS.map(outputsOf);
    await cdk("destroy", ...WORKFLOWS, ...context, "--force");
    for (const { table, queueUrl, deadLetterQueueUrl, controlQueueUrl } of before) {
      await expect(dynamoDb.send(new DescribeTableCommand({ TableName: table }))).rejects.toThrow(/not found/i);
      for (const QueueUrl of [queueUrl, deadLetterQueueUrl, controlQueueUrl]) {
        await expect(sqs.send(new GetQueueAttributesCommand({ QueueUrl }))).rejects.toThrow(QueueDoesNotExist);
      }
    }
  });
});

/** What ministack and the functions wrote last: the directory is gone when the tests have ended. */
function showLogOnFailure(): void {
  onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
}
