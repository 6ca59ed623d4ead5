import { Annotations } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Topology } from "../shared/definition/topology.ts";
import type { FunctionName } from "./bundling.ts";

/**
 * Lambda keeps this many concurrent executions for functions that reserve none.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
 */
const LEAST_UNRESERVED = 100;

/**
 * The concurrent executions of a new account. AWS raises the quota to 1,000 as the account is used.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
const QUOTA_OF_NEW_ACCOUNT = 10;

/**
 * Adds a note about the account's quota to what `cdk synth` and `cdk deploy` print. The template cannot check the quota.
 * If the quota is too low, Lambda's own message names neither the quota nor a way out.
 *
 * @param reserved The reserved concurrency of each function. `undefined`: none.
 */
export function noteConcurrency(
  scope: Construct,
  workflow: string,
  { environments, producer }: Topology,
  reserved: Readonly<Record<FunctionName, number | undefined>>,
): void {
  const note = (id: string, text: string) => Annotations.of(scope).addInfoV2(`sluice:${id}`, `${workflow}: ${text}`);
  if (reserved.consumer !== undefined && reserved.producer !== undefined) {
    const total = reserved.consumer + reserved.producer;
    note(
      "reserved-concurrency",
      `the functions reserve ${total} concurrent executions of Lambda. The account needs a quota of at least ` +
        `${total + LEAST_UNRESERVED}, beside what other functions reserve. A new account can have a quota of ` +
        `${QUOTA_OF_NEW_ACCOUNT}. Then the deployment fails with "decreases account's UnreservedConcurrentExecution below its ` +
        'minimum value". Ask AWS for a higher quota, or reserve nothing: deploy with --context reserve=false, or set ' +
        'reservedConcurrency: "none".',
    );
    return;
  }
  const needed = environments + producer.environments;
  if (needed <= QUOTA_OF_NEW_ACCOUNT) return;
  note(
    "unreserved-concurrency",
    `the functions reserve nothing, and use up to ${needed} concurrent executions of Lambda. A new account can have a quota ` +
      `of ${QUOTA_OF_NEW_ACCOUNT}. Then Lambda throttles the others, and a message that is throttled too often becomes a dead ` +
      `letter without an attempt. In such an account, choose a concurrency of at most ` +
      `${QUOTA_OF_NEW_ACCOUNT - producer.environments} x tasksPerEnvironment.`,
  );
}
