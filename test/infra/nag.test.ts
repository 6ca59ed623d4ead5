import { Stack, Validations } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks } from "cdk-nag";
import { beforeAll, expect, test } from "vitest";
import { s3Lines } from "../../shared/sources/index.ts";
import { fanOutIn, newApp } from "./synthesis.ts";

const permission = { actions: ["s3:GetObject"], resources: ["arn:aws:s3:::invoices/*"] };

const app = newApp();
const clean = new Stack(app, "Clean");
/** What the pack has to say, each finding with the construct's path. */
let findings = "";

// Both stacks under one pack: it takes seconds.
beforeAll(() => {
  fanOutIn(clean, {
    options: { results: true, source: s3Lines({ bucket: "exports", prefix: "in/", format: "jsonl" }) },
    encryptionKey: new Key(clean, "Key", { enableKeyRotation: true }),
    secrets: { API_KEY: "shop/api-key", SIGNING_KEY: "ssm:/shop/signing-key" },
    schedule: "rate(1 day)",
    permissions: [{ ...permission, reason: "Every invoice of the bucket is an item." }],
  });
  const lax = new Stack(app, "Lax");
  fanOutIn(lax, { permissions: [permission] });
  const bucket = Bucket.fromBucketName(lax, "GivenBucket", "acme-results");
  fanOutIn(lax, { options: { name: "given", results: true }, results: { bucket } }, "Given");
  new Bucket(lax, "Bucket");
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const { exitCode } = process;
  try {
    app.synth();
  } catch (error) {
    findings = (error as Error).message;
  } finally {
    // The CDK lets the process fail beside throwing.
    process.exitCode = exitCode;
  }
});

test("cdk-nag's AwsSolutions pack finds what a workflow's permissions leave wide, and what stands beside the construct", () => {
  expect(findings).toContain("AwsSolutions-IAM5[Resource::arn:aws:s3:::invoices/*]");
  expect(findings).toContain("AwsSolutions-S1");
  expect(findings).toMatch(/Lax\/FanOut\/Consumer\/Role/);
});

test("in the construct it finds nothing but what is acknowledged, each with its reason", () => {
  expect(findings).not.toContain("Clean/");
  expect(findings).not.toMatch(/Lax\/FanOut\/(?!Consumer\/Role)/);
  const acknowledged = clean.node
    .findAll()
    .flatMap(({ node }) =>
      node.metadata
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .flatMap(({ data }) => Object.entries(data as Record<string, string>).map((entry) => [node.path, ...entry])),
    );
  const xRay = [
    "Annotation::AwsSolutions-IAM5[Resource::*]",
    "The two actions of X-Ray that send traces accept no other resource.",
  ];
  const invoices = "Annotation::AwsSolutions-IAM5[Resource::arn:aws:s3:::invoices/*]";
  const objects = [
    "Annotation::AwsSolutions-IAM5[Resource::<FanOutResults2D1C8C06.Arn>/test/*]",
    "The keys of the results are known only when a run writes them. All of them are below this prefix.",
  ];
  const exports = "Annotation::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::exports/in/*]";
  expect(acknowledged).toEqual([
    [
      "Clean/FanOut/Results",
      "Annotation::AwsSolutions-S1",
      "Only the functions and the operators of the workflow use the bucket. CloudTrail can log their requests.",
    ],
    ["Clean/FanOut/Producer/Role", ...xRay],
    ["Clean/FanOut/Producer/Role", ...objects],
    [
      "Clean/FanOut/Producer/Role",
      exports,
      "The source reads all objects of the bucket whose keys begin with its prefix.",
    ],
    ["Clean/FanOut/Consumer/Role", ...xRay],
    ["Clean/FanOut/Consumer/Role", ...objects],
    ["Clean/FanOut/Consumer/Role", invoices, "Every invoice of the bucket is an item."],
    [
      "Clean/FanOut/Schedule/DeadLetterQueue",
      "Annotation::AwsSolutions-SQS3",
      "The queue is the dead-letter queue of a schedule.",
    ],
  ]);
});
