import { Duration, RemovalPolicy, Stack, Token, Validations } from "aws-cdk-lib";
import { Effect, Grant, type IGrantable, PolicyStatement, type Role } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";
import { ConfigurationError } from "../shared/base/errors.ts";
import { rejectUnknownKeys, show } from "../shared/base/options.ts";
import type { Workflow } from "../shared/definition/workflow.ts";
import type { FunctionName } from "./bundling.ts";

/** A bucket for the results of runs that the construct does not create. */
export interface ResultsBucketProps {
  /**
   * A general purpose bucket in the region of the stack. The construct changes nothing in it. If a KMS key encrypts it,
   * the bucket must know the key (`Bucket.fromBucketAttributes` with `encryptionKey`), so that the functions may use it.
   * Add a lifecycle rule that aborts incomplete multipart uploads.
   */
  readonly bucket: IBucket;
  /**
   * What the keys of all objects begin with, before `/<workflow>`: segments of letters, digits, `-`, `_` and `.`,
   * separated by `/`. Stages that share a bucket need different prefixes. Default: nothing.
   */
  readonly prefix?: string;
}

/** Where the results of a workflow are. */
export interface ResultsStore {
  readonly bucket: IBucket;
  /** What the keys of all objects begin with. No `/` at its end. */
  readonly prefix: string;
  readonly url: string;
}

export interface ResultsStoreProps {
  readonly workflow: string;
  readonly given: ResultsBucketProps | undefined;
  readonly encryptionKey: IKey | undefined;
  readonly removalPolicy: RemovalPolicy;
}

const PREFIX = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

/** @throws {ConfigurationError} The option is invalid, or the workflow keeps no results. */
export function checkResultsProps({ name, results }: Workflow, given: ResultsBucketProps | undefined): void {
  if (given === undefined) return;
  rejectUnknownKeys(given, ["bucket", "prefix"], "results");
  if (results === undefined) {
    throw new ConfigurationError(
      `results names a bucket, but the workflow ${name} keeps no results: add results: true to the workflow, or leave ` +
        "the bucket out",
    );
  }
  const { prefix } = given;
  if (prefix === undefined || (typeof prefix === "string" && !Token.isUnresolved(prefix) && PREFIX.test(prefix)))
    return;
  throw new ConfigurationError(
    `results.prefix must have segments of letters, digits, -, _ and . between single slashes, but is ${show(prefix)}: ` +
      'write "results/prod"',
  );
}

/** The bucket of a workflow's results: the given one, or one that this function creates. */
export function resultsStore(scope: Construct, id: string, props: ResultsStoreProps): ResultsStore {
  const { workflow, given } = props;
  const bucket = given?.bucket ?? ownBucket(scope, id, props);
  const prefix = given?.prefix === undefined ? workflow : `${given.prefix}/${workflow}`;
  return { bucket, prefix, url: `s3://${bucket.bucketName}/${prefix}` };
}

/** A bucket that is encrypted, accepts requests over TLS only, and is closed to the public. */
function ownBucket(scope: Construct, id: string, { encryptionKey, removalPolicy }: ResultsStoreProps): IBucket {
  const bucket = new Bucket(scope, id, {
    ...(encryptionKey === undefined
      ? { encryption: BucketEncryption.S3_MANAGED }
      : // A bucket key saves most requests to KMS. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        { encryption: BucketEncryption.KMS, encryptionKey, bucketKeyEnabled: true }),
    enforceSSL: true,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    // There are no versions: no object is ever overwritten, and versions would keep every raw object that a part has replaced.
    // The parts of an upload that was not completed cost as much as objects. Results never expire.
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html
    lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    removalPolicy,
    // CloudFormation does not delete a bucket with objects.
    ...(removalPolicy === RemovalPolicy.DESTROY && { autoDeleteObjects: true }),
  });
  // Without its policy, a bucket that CloudFormation retains would accept requests without TLS.
  bucket.policy?.applyRemovalPolicy(removalPolicy);
  Validations.of(bucket).acknowledge({
    id: "AwsSolutions-S1",
    reason: "Only the functions and the operators of the workflow use the bucket. CloudTrail can log their requests.",
  });
  // The types of the CDK are not exact about optional properties.
  return bucket as IBucket;
}

/**
 * The rights of a function on the results. The consumer only writes. The producer also replaces raw objects by parts.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
 */
export function resultsRightsOf(name: FunctionName, store: ResultsStore): readonly PolicyStatement[] {
  if (name === "consumer") {
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    return [allow(["s3:PutObject"], objectsOf(store)), ...keyRights(["kms:GenerateDataKey"], store)];
  }
  return [
    allow(["s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject", "s3:DeleteObject"], objectsOf(store)),
    listing(store),
    // A multipart upload reads its own encrypted parts.
    ...keyRights(["kms:GenerateDataKey", "kms:Decrypt"], store),
  ];
}

/** Lets somebody read and list the results. */
export function grantRead(grantee: IGrantable, store: ResultsStore): Grant {
  const statements = [allow(["s3:GetObject"], objectsOf(store)), listing(store), ...keyRights(["kms:Decrypt"], store)];
  const grants = statements.map(({ actions, resources, conditions }) =>
    Grant.addToPrincipal({ grantee, actions, resourceArns: resources, conditions }),
  );
  return grants.reduce((all, grant) => all.combine(grant));
}

/** Tells cdk-nag why the resource of these rights ends with a wildcard. */
export function acknowledgeObjects(role: Role, store: ResultsStore): void {
  for (const resource of objectsOf(store)) {
    Validations.of(role).acknowledge({
      id: `AwsSolutions-IAM5[Resource::${nagText(Stack.of(role).resolve(resource))}]`,
      reason: "The keys of the results are known only when a run writes them. All of them are below this prefix.",
    });
  }
}

/** A resource of a policy as cdk-nag writes it: `<FanOutResults2D1C8C06.Arn>/cities/*`. */
function nagText(resource: unknown): string {
  if (typeof resource === "string") return resource;
  const {
    "Fn::Join": joined,
    "Fn::GetAtt": attribute,
    Ref: reference,
  } = resource as {
    readonly "Fn::Join"?: readonly [separator: string, parts: readonly unknown[]];
    readonly "Fn::GetAtt"?: readonly string[];
    readonly Ref?: string;
  };
  if (joined !== undefined) return joined[1].map(nagText).join(joined[0]);
  return `<${attribute?.join(".") ?? reference}>`;
}

const objectsOf = ({ bucket, prefix }: ResultsStore): readonly string[] => [bucket.arnForObjects(`${prefix}/*`)];

function listing({ bucket, prefix }: ResultsStore): PolicyStatement {
  const statement = allow(["s3:ListBucket"], [bucket.bucketArn]);
  statement.addCondition("StringLike", { "s3:prefix": `${prefix}/*` });
  return statement;
}

const keyRights = (actions: readonly string[], { bucket }: ResultsStore): readonly PolicyStatement[] =>
  bucket.encryptionKey === undefined ? [] : [allow(actions, [bucket.encryptionKey.keyArn])];

const allow = (actions: readonly string[], resources: readonly string[]): PolicyStatement =>
  new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [...resources] });
