import { parseXML } from "@aws-sdk/xml-builder";
import type { AwsAccount } from "./aws-client-config.ts";
import { awsService } from "./aws-service.ts";
import { at, membersOf, textOf } from "./xml.ts";

/** What the commands read of a stack. */
export interface DeployedStack {
  readonly name: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * The stacks of an account and region: all of them, or the named one. CloudFormation's client in the SDK takes 3.4 MB in
 * `node_modules`, for this one request.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
 *
 * @throws {Error} CloudFormation refused the request. The name of the error is that of AWS: `ValidationError` if there is no
 *   stack of this name.
 */
export async function describeStacks(name: string | undefined, account: AwsAccount): Promise<readonly DeployedStack[]> {
  const send = await awsService({ id: "CloudFormation", name: "cloudformation" }, account);
  const found: DeployedStack[] = [];
  let nextToken: string | undefined;
  do {
    const text = await send(
      { "content-type": "application/x-www-form-urlencoded" },
      new URLSearchParams({
        Action: "DescribeStacks",
        Version: "2010-05-15",
        ...(name !== undefined && { StackName: name }),
        ...(nextToken !== undefined && { NextToken: nextToken }),
      }).toString(),
    );
    const result = at(at(parseXML(text), "DescribeStacksResponse"), "DescribeStacksResult");
    found.push(...membersOf(at(result, "Stacks")).map(toStack));
    nextToken = textOf(at(result, "NextToken"));
  } while (nextToken !== undefined);
  return found;
}

const toStack = (stack: unknown): DeployedStack => ({
  name: textOf(at(stack, "StackName")) ?? "",
  outputs: Object.fromEntries(
    membersOf(at(stack, "Outputs")).map((output) => [
      textOf(at(output, "OutputKey")) ?? "",
      textOf(at(output, "OutputValue")) ?? "",
    ]),
  ),
});
