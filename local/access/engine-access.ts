import type { ServiceAccess } from "../../shared/aws/service-access.ts";
import type { Endpoints } from "../state-directory.ts";

/** Clients must have one. The servers of the engine have no regions. */
const REGION = "us-east-1";

/** Signatures are not checked: the access key id is the secret. */
const SECRET_ACCESS_KEY = "local";

/** How Sluice's own clients ask the servers of an engine. */
export const ownAccess = ({ sqs, dynamoDb, accessKeyId }: Endpoints): ServiceAccess => ({
  sqsEndpoint: sqs,
  dynamoDbEndpoint: dynamoDb,
  region: REGION,
  accessKeyId,
  secretAccessKey: SECRET_ACCESS_KEY,
});

/** The name of the profile in `awsConfig`. */
const PROFILE = "sluice";

/**
 * A configuration file for the AWS CLI and for SDKs, whose profile `sluice` asks the servers of an engine.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 *
 * @example AWS_CONFIG_FILE=.sluice/cities/aws-config aws --profile sluice sqs list-queues
 */
export function awsConfig(endpoints: Endpoints): string {
  const { sqsEndpoint, dynamoDbEndpoint, region, accessKeyId, secretAccessKey } = ownAccess(endpoints);
  return `# The embedded engine's servers and their key, while a command of Sluice holds them. It is new at each start.
[profile ${PROFILE}]
region = ${region}
aws_access_key_id = ${accessKeyId}
aws_secret_access_key = ${secretAccessKey}
services = ${PROFILE}

[services ${PROFILE}]
sqs =
  endpoint_url = ${sqsEndpoint}
dynamodb =
  endpoint_url = ${dynamoDbEndpoint}
`;
}
