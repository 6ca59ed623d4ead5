import type { ServiceAccess } from "../../shared/aws/service-access.ts";
import type { Endpoints } from "../state-directory.ts";

/** Clients must have a region. The servers of the engine ignore it. */
const REGION = "us-east-1";

/** The servers do not check signatures: the access key id is the secret. */
const SECRET_ACCESS_KEY = "local";

/** How Sluice's own clients reach the servers of an engine. */
export const engineAccess = ({ sqs, dynamoDb, accessKeyId }: Endpoints): ServiceAccess => ({
  sqsEndpoint: sqs,
  dynamoDbEndpoint: dynamoDb,
  region: REGION,
  accessKeyId,
  secretAccessKey: SECRET_ACCESS_KEY,
});

/** The name of the profile in `awsConfig`. */
const PROFILE = "sluice";

/**
 * A configuration file for the AWS CLI and for SDKs. Its profile `sluice` leads to the servers of an engine.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 *
 * @example AWS_CONFIG_FILE=.sluice/cities/aws-config aws --profile sluice sqs list-queues
 */
export function awsConfig(endpoints: Endpoints): string {
  const { sqsEndpoint, dynamoDbEndpoint, region, accessKeyId, secretAccessKey } = engineAccess(endpoints);
  return `# The embedded engine's servers and their key, while a command of Sluice runs them. The key is new at each start.
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
