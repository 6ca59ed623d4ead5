import { RemovalPolicy, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { AccountPrincipal, Role } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket, type IBucket } from "aws-cdk-lib/aws-s3";
import { describe, expect, test, vi } from "vitest";
import { ConfigurationError } from "../../shared/base/errors.ts";
import { outputName, readOutputs } from "../../shared/definition/stack-outputs.ts";
import { fanOutIn, newApp, rightsOfRole, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 120_000 });

const BUCKET = "AWS::S3::Bucket";
const options = { name: "orders", results: true } as const;
const own = synthesise({ options });
const given = synthesise((stack) => ({
  options,
  results: { bucket: Bucket.fromBucketName(stack, "Given", "acme-results"), prefix: "prod" },
}));

const s3Rights = (template: Template, role: string) =>
  rightsOfRole(template, role).filter((right) => /^(s3|kms):/.test(right));

const environmentsOf = (template: Template) =>
  Object.values(template.findResources("AWS::Lambda::Function"))
    .map(({ Properties }) => Properties.Environment?.Variables)
    .filter((variables) => variables?.SLUICE_TABLE !== undefined);

describe("a workflow without results", () => {
  test("has no bucket, no right on S3, no variable and no output for it", () => {
    const { template } = synthesise({ options: { name: "orders" } });
    template.resourceCountIs(BUCKET, 0);
    expect(JSON.stringify(template.toJSON())).not.toMatch(/s3:PutObject|SLUICE_RESULTS_URL|ResultsUrl/);
  });

  test("differs from one with results in nothing that keeps data", () => {
    const { template } = synthesise({ options: { name: "orders" } });
    const ids = Object.keys(template.toJSON().Resources);
    const withResults = Object.keys(own.template.toJSON().Resources);
    expect(ids.filter((id) => !withResults.includes(id))).toEqual([]);
  });

  test("refuses a bucket for results", () => {
    expect(() =>
      synthesise((stack) => ({ results: { bucket: Bucket.fromBucketName(stack, "Given", "acme-results") } })),
    ).toThrow(/keeps no results: add results: true/);
    expect(() => synthesise().fanOut.grantReadResults(new AccountPrincipal("123456789012"))).toThrow(
      ConfigurationError,
    );
  });
});

describe("the bucket of the construct", () => {
  test("is encrypted, closed to the public and open over TLS only, and only aborts uploads", () => {
    own.template.hasResource(BUCKET, {
      DeletionPolicy: "Retain",
      Properties: {
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
        },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        LifecycleConfiguration: {
          Rules: [{ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: "Enabled" }],
        },
        VersioningConfiguration: Match.absent(),
      },
    });
    own.template.hasResource("AWS::S3::BucketPolicy", {
      DeletionPolicy: "Retain",
      Properties: {
        PolicyDocument: {
          Statement: [
            {
              Action: "s3:*",
              Effect: "Deny",
              Principal: { AWS: "*" },
              Condition: { Bool: { "aws:SecureTransport": "false" } },
            },
          ],
        },
      },
    });
  });

  test("keeps its logical id", () => {
    expect(Object.keys(own.template.findResources(BUCKET))).toEqual(["FanOutResults2D1C8C06"]);
  });

  test("is deleted with its objects if the ledger is, too", () => {
    const { template } = synthesise({ options, removalPolicy: RemovalPolicy.DESTROY });
    template.hasResource(BUCKET, { DeletionPolicy: "Delete" });
    template.resourceCountIs("Custom::S3AutoDeleteObjects", 1);
    own.template.resourceCountIs("Custom::S3AutoDeleteObjects", 0);
  });

  test("is at the URL that the functions and the commands read", () => {
    const url = { "Fn::Join": ["", ["s3://", { Ref: "FanOutResults2D1C8C06" }, "/orders"]] };
    expect(environmentsOf(own.template).map(({ SLUICE_RESULTS_URL }) => SLUICE_RESULTS_URL)).toEqual([url, url]);
    own.template.hasOutput(outputName("orders", "resultsUrl"), { Value: url });
  });

  test("is encrypted with the key of the queues, if there is one", () => {
    const { template } = synthesise((stack) => ({ options, encryptionKey: new Key(stack, "Key") }));
    template.hasResourceProperties(BUCKET, {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms" } },
        ],
      },
    });
  });
});

describe("a bucket that the construct is given", () => {
  test("is used below the prefix, and stays as it is", () => {
    given.template.resourceCountIs(BUCKET, 0);
    given.template.resourceCountIs("AWS::S3::BucketPolicy", 0);
    const urls = environmentsOf(given.template).map(({ SLUICE_RESULTS_URL }) => SLUICE_RESULTS_URL);
    expect(urls).toEqual(["s3://acme-results/prod/orders", "s3://acme-results/prod/orders"]);
    expect(given.fanOut.resultsBucket?.bucketName).toBe("acme-results");
  });

  test.each(["", "/prod", "prod/", "a//b", "../b", "a b", "ä", 7])("has no prefix such as %j", (prefix) => {
    const refused = (stack: Stack) => ({
      options,
      results: { bucket: Bucket.fromBucketName(stack, "Given", "acme-results"), prefix: prefix as string },
    });
    expect(() => synthesise(refused)).toThrow(/results.prefix must have segments/);
  });
});

describe("the functions have only the rights that they need", () => {
  test("the consumer writes, the producer also reads, lists and deletes, both below their prefix", () => {
    expect(s3Rights(given.template, "FanOutConsumer")).toEqual(["s3:PutObject s3:::acme-results/prod/orders/*"]);
    expect(s3Rights(given.template, "FanOutProducer")).toEqual([
      "s3:AbortMultipartUpload s3:::acme-results/prod/orders/*",
      "s3:DeleteObject s3:::acme-results/prod/orders/*",
      "s3:GetObject s3:::acme-results/prod/orders/*",
      "s3:ListBucket s3:::acme-results",
      "s3:PutObject s3:::acme-results/prod/orders/*",
    ]);
    given.template.hasResourceProperties("AWS::IAM::Policy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: "s3:ListBucket",
            Condition: { StringLike: { "s3:prefix": "prod/orders/*" } },
          }),
        ]),
      },
    });
    expect(s3Rights(own.template, "FanOutConsumer")).toEqual(["s3:PutObject /orders/*"]);
  });

  test("and may use the KMS key of the bucket", () => {
    const { template } = synthesise((stack) => ({
      options,
      results: {
        bucket: Bucket.fromBucketAttributes(stack, "Given", {
          bucketName: "acme-results",
          encryptionKey: Key.fromKeyArn(stack, "Key", "arn:aws:kms:eu-west-1:123456789012:key/1"),
        }),
      },
    }));
    const kms = (role: string) => s3Rights(template, role).filter((right) => right.startsWith("kms:"));
    const key = "arn:aws:kms:eu-west-1:123456789012:key/1";
    expect(kms("FanOutConsumer")).toEqual([`kms:GenerateDataKey ${key}`]);
    expect(kms("FanOutProducer")).toEqual([`kms:Decrypt ${key}`, `kms:GenerateDataKey ${key}`]);
  });

  test("an operator gets the right to read", () => {
    const stack = new Stack(newApp(), "Stack");
    const bucket: IBucket = Bucket.fromBucketName(stack, "Given", "acme-results");
    const fanOut = fanOutIn(stack, { options, results: { bucket } });
    fanOut.grantReadResults(new Role(stack, "Operator", { assumedBy: new AccountPrincipal("123456789012") }));
    expect(s3Rights(Template.fromStack(stack), "Operator")).toEqual([
      "s3:GetObject s3:::acme-results/orders/*",
      "s3:ListBucket s3:::acme-results",
    ]);
  });
});

test("the outputs of a stack without results have no URL for them", () => {
  const outputs = Object.entries(synthesise({ options: { name: "orders" } }).template.toJSON().Outputs);
  const values = Object.fromEntries(outputs.map(([name]) => [name, "value"]));
  expect("resultsUrl" in readOutputs("orders", values)).toBe(false);
});
