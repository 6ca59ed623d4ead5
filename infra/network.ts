import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import { ConfigurationError } from "../shared/base/errors.ts";
import type { FunctionName } from "./bundling.ts";
import type { FunctionNetwork } from "./fan-out-function.ts";

/** The properties of `FanOut` that say in which network the functions run. */
export interface NetworkProps {
  readonly vpc?: IVpc;
  readonly subnets?: SubnetSelection;
  readonly securityGroups?: readonly ISecurityGroup[];
  readonly producerNetwork?: FunctionNetwork;
}

/**
 * The network of each function. `undefined`: Lambda's own.
 *
 * @throws {ConfigurationError} Subnets or security groups are given without their VPC.
 */
export function networksOf(props: NetworkProps): Readonly<Record<FunctionName, FunctionNetwork | undefined>> {
  const { vpc, subnets, securityGroups, producerNetwork } = props;
  if (vpc === undefined) {
    for (const [name, value] of Object.entries({ subnets, securityGroups })) {
      if (value === undefined) continue;
      throw new ConfigurationError(
        `${name} is set, but vpc is not: set vpc to the VPC of the ${name === "subnets" ? "subnets" : "security groups"}`,
      );
    }
    return { producer: producerNetwork, consumer: undefined };
  }
  const network: FunctionNetwork = {
    vpc,
    ...(subnets !== undefined && { subnets }),
    ...(securityGroups !== undefined && { securityGroups }),
  };
  return { producer: producerNetwork ?? network, consumer: network };
}
