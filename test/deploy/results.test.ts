import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  CreateBucketCommand,
  GetBucketEncryptionCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutBucketTaggingCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, expect, inject, onTestFailed, test, vi } from "vitest";
import { openS3 } from "../../shared/aws/open-s3.ts";
import { s3Location } from "../../shared/aws/s3-location.ts";
import { readOutputs } from "../../shared/definition/stack-outputs.ts";
import { readResults } from "../../shared/index.ts";
import { CHROMIUM, launchChromium } from "../browser/chromium.ts";
import { openPage } from "../browser/dashboard-world.ts";
import { PATIENTLY } from "../helpers/patience.ts";
import { testObjectStore } from "../unit/results/object-store-contract.ts";
import { begin, cdk, dynamoDbClient, runsIn, sluice, typed } from "./aws.ts";
import { countingProxy } from "./counting-proxy.ts";

const context = ["--context", "workflows=test/deploy/workflows"];
const outputsFile = join(inject("workspace"), "results-outputs.json");
const dynamoDb = dynamoDbClient();
const settings = {
  endpoint: inject("endpoint"),
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
};
const s3 = new S3Client(settings);
afterAll(() => {
  dynamoDb.destroy();
  s3.destroy();
});

const outputs = () => readOutputs("results", JSON.parse(readFileSync(outputsFile, "utf8"))["sluice-results"]);
const location = () => s3Location(outputs().resultsUrl ?? "");
const until = <T>(what: () => Promise<T>) => vi.waitFor(what, { ...PATIENTLY, interval: 500 });

const NUMBERS = Array.from({ length: 450 }, (_, number) => number);
const failsFirst = (number: number) => number % 50 === 7;

let stores = 0;
testObjectStore("S3 in an emulator that nobody here wrote", async () => {
  const Bucket = `store-${++stores}`;
  await s3.send(new CreateBucketCommand({ Bucket }));
  return await openS3(`s3://${Bucket}/some/prefix`, settings);
});

beforeAll(async () => {
  await cdk("bootstrap", "aws://000000000000/us-east-1", ...context);
  await cdk("deploy", "results", ...context, "--require-approval", "never", "--outputs-file", outputsFile);
});

let run = "";

/** The rows that `sluice results` writes. */
async function rows(...words: readonly string[]): Promise<readonly { id: string; result: { number: number } }[]> {
  const file = join(inject("workspace"), "results.jsonl");
  await typed("results", run, "--stack", "sluice-results", "--format", "jsonl", "--output", file, "--force", ...words);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

test("a deployed run leaves its results in the bucket of the stack, with the rights that its roles have", async () => {
  onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
  const [asked] = await sluice("start", "results", "--stack", "sluice-results", "--json");
  run = String(asked?.run);
  const runs = runsIn(dynamoDb, outputs().table);
  await until(async () => {
    const { status, results } = await runs.get(run);
    expect({ status, manifest: results?.manifest }).toEqual({ status: "completed", manifest: 1 });
  });
  const [found] = await sluice("results", run, "--stack", "sluice-results", "--json");
  expect(found).toMatchObject({ type: "results", url: outputs().resultsUrl, manifest: 1, rows: 441, complete: true });
  const numbers = (await rows()).map(({ result }) => result.number);
  expect(numbers).toEqual(NUMBERS.filter((number) => !failsFirst(number)));
});

test("the raw objects are replaced by the parts, and nothing is outside of the workflow's prefix", async () => {
  await until(async () => {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: location().bucket }));
    const keys = Contents.map(({ Key = "" }) => Key);
    expect(keys.every((key) => key.startsWith(`results/${run}/`))).toBe(true);
    expect(keys.filter((key) => key.includes("/raw/"))).toEqual([]);
    expect(keys.filter((key) => key.includes("/csv/"))).toHaveLength(1);
  });
});

test.skipIf(CHROMIUM === undefined)(
  "the dashboard shows the stack with few requests, and changes nothing",
  async () => {
    const proxy = await countingProxy(inject("endpoint"));
    const browser = await launchChromium([]);
    const began = performance.now();
    const dashboard = begin(["ui", "--stack", "sluice-results", "--no-open", "--json"], {
      AWS_ENDPOINT_URL: proxy.endpoint,
    });
    try {
      const [line] = await once(createInterface({ input: dashboard.stdout }), "line");
      const { page, faults } = await openPage(browser, (JSON.parse(String(line)) as { url: string }).url);
      await page.locator(".runs tr", { hasText: run }).locator("a").first().click();
      await page.locator(".legend", { hasText: "441 done" }).waitFor();
      // The live view makes a request each second. A slow machine only makes fewer.
      expect(proxy.requests()).toBeLessThanOrEqual(1 + (performance.now() - began) / 1_000);
      await page.getByRole("link", { name: /Failures of results/ }).click();
      await page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
      await page.getByRole("heading", { name: "9 dead letters", exact: true }).waitFor();
      await page.getByRole("button", { name: "Dry run", exact: true }).click();
      await page.getByText("9 dead letters would be sent back").waitFor();
      expect(await page.getByRole("button", { name: "Redrive 9…", exact: true }).isDisabled()).toBe(true);
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
      dashboard.kill("SIGTERM");
      await once(dashboard, "exit");
      proxy.close();
    }
  },
);

test.skipIf(CHROMIUM === undefined)(
  "the dashboard with --write starts, pauses, resumes and cancels a run of the stack and redrives, each after a confirmation",
  async () => {
    onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
    // 450 items at this rate take minutes, so the run does not end before it is cancelled.
    await sluice("limit", "results", "--rate", "1/s", "--stack", "sluice-results", "--json");
    const runs = runsIn(dynamoDb, outputs().table);
    const browser = await launchChromium([]);
    const dashboard = begin(["ui", "--stack", "sluice-results", "--write", "--no-open", "--json"], {});
    const audit = () =>
      readFileSync(join(inject("workspace"), ".sluice/.dashboard/audit.jsonl"), "utf8")
        .trim()
        .split("\n")
        .map((line): Record<string, unknown> => JSON.parse(line));
    try {
      const [line] = await once(createInterface({ input: dashboard.stdout }), "line");
      const { page, faults } = await openPage(browser, (JSON.parse(String(line)) as { url: string }).url);
      const dialog = page.getByRole("dialog");
      /** Presses a button, and confirms the command that the dialog shows. */
      const change = async (button: string, command: string, verb: string) => {
        await page.getByRole("button", { name: button, exact: true }).click();
        await dialog.getByText(command).waitFor();
        await dialog.getByRole("button", { name: verb, exact: true }).click();
        await dialog.waitFor({ state: "detached" });
      };
      await page.locator(".runs tr", { hasText: run }).waitFor();
      await page.getByText("Start a run").click();
      await change("Start", "npx sluice start results --stack sluice-results", "Start");
      await page.locator(".runs tr", { hasText: "running" }).locator("a").first().click();
      const started = (await page.locator("h1 .mono").textContent()) ?? "";
      expect(started).not.toBe(run);
      for (const [button, command, verb, status] of [
        ["Pause", "pause", "Pause the run", "paused"],
        ["Resume", "resume", "Resume the run", "running"],
        ["Cancel…", "cancel", "Cancel the run", "cancelled"],
      ] as const) {
        await change(button, `npx sluice ${command} ${started} --stack sluice-results`, verb);
        await page.locator("h1 .status", { hasText: status }).waitFor();
        expect((await runs.get(started)).status).toBe(status);
        expect(audit().filter((entry) => entry.command === command)).toMatchObject([
          { command, workflow: "results", run: started, event: "began" },
          { command, workflow: "results", run: started, event: "ended" },
        ]);
      }
      await sluice("limit", "results", "--clear", "--stack", "sluice-results", "--json");

      await page.getByRole("link", { name: /Failures of results/ }).click();
      await page.getByRole("button", { name: "Load the dead letters", exact: true }).click();
      // The run that was cancelled may have dead letters, too.
      await page.getByRole("combobox", { name: "Run", exact: true }).selectOption(run);
      await page.getByRole("checkbox", { name: "Tick permanent, item 357", exact: true }).check();
      await change("Redrive 1…", "npx sluice dlq redrive", "Redrive");
      await page.getByText("1 dead letter was sent back.").waitFor();
      await page.locator(".run-line", { hasText: run }).locator(".legend", { hasText: "442 done" }).waitFor();
      await until(async () => expect((await runs.get(run)).results).toMatchObject({ manifest: 2 }));
      expect(audit().filter((entry) => entry.kind === "redrive")).toMatchObject([
        { workflow: "results", deadLetters: 1, event: "began" },
        { workflow: "results", gone: 1, event: "ended" },
      ]);
      expect(audit()[0]).toMatchObject({ command: "start", workflow: "results", event: "began" });
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
      dashboard.kill("SIGTERM");
      await once(dashboard, "exit");
    }
  },
);

test("redriven items join the results, in the order of the source", async () => {
  onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
  const runs = runsIn(dynamoDb, outputs().table);
  const before = (await runs.get(run)).results?.manifest ?? 0;
  await sluice("dlq", "redrive", "--stack", "sluice-results", "--yes", "--json");
  await until(async () => {
    expect((await runs.get(run)).results).toMatchObject({ manifest: before + 1 });
    const found = await rows();
    expect(found.map(({ result }) => result.number)).toEqual(NUMBERS);
  });
  const csv = parse(await typed("results", run, "--stack", "sluice-results", "--format", "csv"));
  expect(csv[0]).toEqual(["id", "attempts", "number", "square", "note"]);
  expect(csv.slice(1).map(([, , number]) => Number(number))).toEqual(NUMBERS);
  expect(csv[4]?.at(-1)).toBe("'=1+1");
});

test("a script reads them from the URL of the stack", async () => {
  for (const [name, value] of Object.entries({
    AWS_ENDPOINT_URL_S3: inject("endpoint"),
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  }))
    vi.stubEnv(name, value);
  const squares: number[] = [];
  for await (const { result } of readResults<{ square: number }>({ url: outputs().resultsUrl ?? "", run })) {
    squares.push(result.square);
  }
  vi.unstubAllEnvs();
  expect(squares).toEqual(NUMBERS.map((number) => number ** 2));
});

test("the bucket is encrypted and closed, and a stranger reads nothing", async () => {
  const { bucket: Bucket } = location();
  const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
  expect(ServerSideEncryptionConfiguration?.Rules).toHaveLength(1);
  const { PublicAccessBlockConfiguration } = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
  expect(PublicAccessBlockConfiguration).toMatchObject({ BlockPublicPolicy: true, RestrictPublicBuckets: true });
  const credentials = { accessKeyId: "AKIANOBODY0000000000", secretAccessKey: "none" };
  const nobody = await openS3(outputs().resultsUrl ?? "", { ...settings, credentials });
  await expect(nobody.get(`${run}/manifest-1.json`)).rejects.toMatchObject({ code: "OBJECT_STORE" });
  const log = readFileSync(inject("ministackLog"), "utf8");
  expect(log.match(/is not authorized to perform: s3:\S+ .*sluice-results\S*/g) ?? []).toEqual([]);
});

test("the bucket is gone with the stack, and all results with it", async () => {
  const { bucket: Bucket } = location();
  // The CDK's function empties only buckets with this tag. The emulator's CloudFormation gives buckets no tags.
  const TagSet = [{ Key: "aws-cdk:auto-delete-objects", Value: "true" }];
  await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  await cdk("destroy", "results", ...context, "--force");
  await expect(s3.send(new HeadBucketCommand({ Bucket }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 404 },
  });
});
