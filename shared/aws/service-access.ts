import type { DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { MOST_ATTEMPTS } from "./timeouts.ts";

/**
 * Where the queues and the ledger of a workflow are, and the key that their requests carry. The process that starts the functions gives
 * it where it differs from what the AWS SDK finds by itself.
 */
export interface ServiceAccess {
  readonly sqsEndpoint: string;
  readonly dynamoDbEndpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * The settings of an AWS client that asks one of these services and nothing else. Each setting that the SDK would read
 * from environment variables or from the files in `~/.aws` is given, because those are meant for the user's own clients:
 * a profile, a region, an endpoint or a number of attempts of the user's must not alter Sluice's.
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
    // Of DynamoDB alone.
    accountIdEndpointMode: "disabled",
  } satisfies DynamoDBClientConfig;
}
