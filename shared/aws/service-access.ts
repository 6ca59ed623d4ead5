import type { DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { MOST_ATTEMPTS } from "./timeouts.ts";

/**
 * The endpoints of a workflow's queues and ledger, and the access key for their requests. The embedded engine
 * (`local/`), which runs a workflow on one machine, passes this object to the functions that it starts. On Lambda the
 * object is absent, and the AWS SDK finds endpoints and credentials itself.
 */
export interface ServiceAccess {
  readonly sqsEndpoint: string;
  readonly dynamoDbEndpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * The settings of an AWS client that uses only the given access. They include every setting that the SDK would
 * otherwise read from environment variables or from the files in `~/.aws`. The environment variables and files are for
 * the user's own clients: a profile, region, endpoint or number of attempts that the user sets must not change Sluice's
 * requests.
 * https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
 *
 * @example new SQSClient(explicitSettings(access, access.sqsEndpoint))
 */
export function explicitSettings({ region, accessKeyId, secretAccessKey }: ServiceAccess, endpoint: string) {
  return {
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: MOST_ATTEMPTS,
    retryMode: "standard",
    defaultsMode: "standard",
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    authSchemePreference: [],
    userAgentAppId: "",
    // Only DynamoDB clients have this setting.
    accountIdEndpointMode: "disabled",
  } satisfies DynamoDBClientConfig;
}
