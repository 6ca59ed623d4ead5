import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Stack } from "aws-cdk-lib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUNDLE_FILE, S3_FILE } from "../../infra/bundling.ts";
import { codeVersion } from "../../infra/code-version.ts";
import { loadWorkflows } from "../../infra/workflow-files.ts";
import { bundleFunctions } from "../../local/lambda/bundle-functions.ts";
import { ObjectMissingError, ObjectStoreError } from "../../shared/aws/object-store.ts";
import { fanOutIn, newApp, root } from "./synthesis.ts";

/** Each function of each workflow in `workflows/`. A cold start reads all of it. */
const BUDGET_BYTES = 620_000;

const directory = mkdtempSync(join(tmpdir(), "sluice-bundles-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What the embedded engine runs, by workflow. */
const local = new Map<string, { readonly producer: string; readonly consumer: string }>();
/** What is deployed of one workflow: the producer's and the consumer's file. */
let deployed: readonly string[] = [];
/** The version of the code that each function of the stack has. */
let versions: readonly (string | undefined)[] = [];
const DEPLOYED = "cities";

beforeAll(async () => {
  const workflows = await loadWorkflows(join(root, "workflows"));
  const bundled = workflows.map(async ({ workflow, file }) => {
    local.set(workflow.name, await bundleFunctions(file, join(directory, workflow.name)));
  });
  await Promise.all(bundled);
  const outdir = join(directory, "cdk.out");
  const app = newApp({ bundle: true, outdir });
  for (const { workflow, file } of workflows.filter((each) => each.workflow.name === DEPLOYED)) {
    fanOutIn(new Stack(app, "Stack"), { workflow, workflowFile: file });
  }
  const resources = app.synth().getStackByName("Stack").template.Resources;
  const functions = Object.values<{
    Type: string;
    Properties: { Code: { S3Key: string }; Environment: { Variables: Record<string, string> } };
  }>(resources).filter(({ Type }) => Type === "AWS::Lambda::Function");
  versions = functions.map(({ Properties }) => Properties.Environment.Variables.SLUICE_CODE_VERSION);
  deployed = functions.map(({ Properties }) =>
    join(outdir, `asset.${basename(Properties.Code.S3Key, ".zip")}`, BUNDLE_FILE),
  );
});

test(`the bundles of every workflow are below ${BUDGET_BYTES / 1_000} KB`, () => {
  expect([...local.keys()].toSorted()).toEqual(expect.arrayContaining(["cities", "seconds", "unreliable"]));
  for (const file of [...local.values()].flatMap(({ producer, consumer }) => [producer, consumer])) {
    const bytes = readFileSync(file).byteLength;
    expect(bytes, file).toBeGreaterThan(100_000);
    expect(bytes, file).toBeLessThan(BUDGET_BYTES);
  }
});

test("both functions have the same code version, which depends on the workflow and nothing else", async () => {
  const file = (name: string) => join(root, "workflows", `${name}.ts`);
  const version = codeVersion(file(DEPLOYED));
  expect(versions).toEqual([version, version]);
  expect(codeVersion(file(DEPLOYED))).toBe(version);
  expect(codeVersion(file("unreliable"))).not.toBe(version);
});

test("the embedded engine runs the same code that is deployed", () => {
  const withoutMap = (file: string) => readFileSync(file, "utf8").replace(/\n\/\/# sourceMappingURL=.*/, "");
  const { producer = "", consumer = "" } = local.get(DEPLOYED) ?? {};
  expect(deployed.length).toBe(2);
  // A failure must not print half a megabyte.
  expect(withoutMap(deployed[0] ?? "") === withoutMap(producer)).toBe(true);
  expect(withoutMap(deployed[1] ?? "") === withoutMap(consumer)).toBe(true);
  expect(withoutMap(producer) === withoutMap(consumer)).toBe(false);
});

describe("a bundle", () => {
  const [cities, unreliable] = ["cities", "unreliable"];
  const consumer = (workflow: string) => readFileSync(local.get(workflow)?.consumer ?? "", "utf8");

  test("contains one workflow and no code of another", () => {
    expect(consumer(unreliable).includes("this item is known to be bad")).toBe(true);
    expect(consumer(cities).includes("this item is known to be bad")).toBe(false);
    expect(consumer(cities).includes("CITIES_URL")).toBe(true);
    expect(consumer(unreliable).includes("CITIES_URL")).toBe(false);
  });

  test("contains the AWS SDK, without the credential providers that Lambda never needs", () => {
    expect(/from\s*["']@aws-sdk/.test(consumer(cities))).toBe(false);
    expect(consumer(cities).includes("GetRoleCredentials")).toBe(false);
    expect(consumer(cities).includes("AWS_ACCESS_KEY_ID")).toBe(true);
  });

  test("contains no code for schedules, which no function needs", () => {
    const { sources } = JSON.parse(readFileSync(`${local.get(cities)?.consumer}.map`, "utf8"));
    expect(sources.some((path: string) => path.endsWith("/definition/workflow.ts"))).toBe(true);
    expect(
      sources.filter((path: string) => /\/definition\/(schedule|next-occurrence|cron-fields)\.ts$/.test(path)),
    ).toEqual([]);
  });

  test("contains no code of a source that the workflow does not use", () => {
    const sourcesOf = (workflow: string): readonly string[] => {
      const map = JSON.parse(readFileSync(`${local.get(workflow)?.producer}.map`, "utf8"));
      const modules = [
        "items",
        "http-pages",
        "file-lines",
        "s3-objects",
        "s3-lines",
        "dynamodb-scan",
        "postgres-rows",
        "sqlite-rows",
      ];
      return modules.filter((module) => map.sources.some((path: string) => path.endsWith(`/sources/${module}.ts`)));
    };
    expect(sourcesOf(unreliable)).toEqual(["items"]);
    expect(sourcesOf(cities)).toEqual(["http-pages"]);
  });

  test("does not contain the store in S3 and its SDK, which only the functions of workflows with results load", () => {
    expect(consumer(cities).includes("s3.mjs")).toBe(true);
    expect(consumer(cities).includes("CreateMultipartUploadCommand")).toBe(false);
    expect(consumer(cities).includes("x-amz-checksum")).toBe(false);
    const [file = ""] = deployed;
    const store = readFileSync(join(file, "..", S3_FILE), "utf8");
    expect(store.includes("CreateMultipartUploadCommand")).toBe(true);
  });

  test("and the file with the store in S3 throws the errors whose classes the bundle knows", async () => {
    const [file = ""] = deployed;
    const { openS3Store }: typeof import("../../shared/aws/s3-file.ts") = await import(join(file, "..", S3_FILE));
    class OwnError extends ObjectStoreError {}
    const config = { region: "us-east-1", credentials: () => Promise.reject(new Error("no credentials")) };
    const store = openS3Store("s3://bucket/cities", config, { ObjectStoreError: OwnError, ObjectMissingError });
    await expect(store.get("key")).rejects.toBeInstanceOf(OwnError);
  });

  test("has a source map without the sources", () => {
    const [file = ""] = deployed;
    // The workflow stores results, so its functions load the client of S3 when they need it.
    expect(readdirSync(join(file, "..")).sort()).toEqual([BUNDLE_FILE, `${BUNDLE_FILE}.map`, S3_FILE]);
    const map = JSON.parse(readFileSync(`${file}.map`, "utf8"));
    expect(map.sources.length).toBeGreaterThan(100);
    expect(map.sourcesContent).toBeUndefined();
  });
});
