import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, onTestFailed, test, vi } from "vitest";
import { readOutputs } from "../../shared/definition/stack-outputs.ts";
import { PATIENTLY } from "../helpers/patience.ts";
import { cdk, dynamoDbClient, runsIn, sluice, typed } from "./aws.ts";

const context = ["--context", "workflows=test/deploy/native-workflows"];
const outputsFile = join(inject("workspace"), "native-outputs.json");
const dynamoDb = dynamoDbClient();
afterAll(() => dynamoDb.destroy());

beforeAll(async () => {
  await cdk("bootstrap", "aws://000000000000/us-east-1", ...context);
  await cdk("deploy", "native", ...context, "--require-approval", "never", "--outputs-file", outputsFile);
});

test("a deployed workflow runs the native code of an external package", async () => {
  onTestFailed(() => console.error(readFileSync(inject("ministackLog"), "utf8").slice(-10_000)));
  const [asked] = await sluice("start", "native", "--stack", "sluice-native", "--json");
  const run = String(asked?.run);
  const { table } = readOutputs("native", JSON.parse(readFileSync(outputsFile, "utf8"))["sluice-native"]);
  const runs = runsIn(dynamoDb, table);
  await vi.waitFor(
    async () => {
      const { status, results } = await runs.get(run);
      expect({ status, manifest: results?.manifest }).toEqual({ status: "completed", manifest: 1 });
    },
    { ...PATIENTLY, interval: 500 },
  );
  const file = join(inject("workspace"), "native.jsonl");
  await typed("results", run, "--stack", "sluice-native", "--format", "jsonl", "--output", file);
  const rows = readFileSync(file, "utf8").trim().split("\n");
  expect(rows.map((row) => JSON.parse(row).result.read).sort()).toEqual([1, 2, 3]);
});
