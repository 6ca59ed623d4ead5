import { Duration, type RemovalPolicy, Validations } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  Architecture,
  Function as LambdaFunction,
  LayerVersion,
  type RecursiveLoop,
  Runtime,
  Tracing,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { NODE_FLAGS } from "../shared/base/node-flags.ts";
import type { BundlingSettings } from "../shared/definition/bundling-options.ts";
import type { FunctionTopology } from "../shared/definition/topology.ts";
import type { FunctionName } from "./bundling.ts";
import { functionCode, HANDLER } from "./function-code.ts";
import type { SourceFile } from "./source-files.ts";

/** The network of a function. */
export interface FunctionNetwork {
  readonly vpc: IVpc;
  /**
   * The subnets. They need a way to SQS, DynamoDB, EventBridge and CloudWatch Logs: a NAT gateway, or VPC endpoints. Default:
   * the private subnets.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html
   */
  readonly subnets?: SubnetSelection;
  /** Default: a security group of its own, which lets everything out. */
  readonly securityGroups?: readonly ISecurityGroup[];
}

export interface FanOutFunctionProps {
  readonly name: FunctionName;
  readonly workflow: string;
  readonly workflowFile: string;
  readonly bundling: BundlingSettings;
  /** The files that the function opens by their paths. They are packed with the function. */
  readonly files: readonly SourceFile[];
  /** Whether the workflow keeps results, so that the function needs the SDK for S3. */
  readonly hasResults: boolean;
  readonly topology: FunctionTopology;
  /** `undefined`: the function shares the concurrency of the account with all other functions. */
  readonly reservedConcurrency: number | undefined;
  readonly recursiveLoop: RecursiveLoop;
  readonly environment: Readonly<Record<string, string>>;
  /** The key of the environment variables. `undefined`: a key that Lambda manages. */
  readonly environmentKey: IKey | undefined;
  /** The key of the logs. `undefined`: a key that CloudWatch Logs owns. */
  readonly logsKey: IKey | undefined;
  readonly rights: readonly PolicyStatement[];
  /** `undefined`: Lambda's own network. */
  readonly network: FunctionNetwork | undefined;
  /** Whether X-Ray traces the function. */
  readonly tracing: boolean;
  readonly logRetention: RetentionDays;
  readonly removalPolicy: RemovalPolicy;
}

/** A Lambda function with its own role and log group. */
export class FanOutFunction extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: FanOutFunctionProps) {
    super(scope, id);
    const { name, topology, logRetention, removalPolicy } = props;
    this.logGroup = new LogGroup(this, "Logs", {
      retention: logRetention,
      removalPolicy,
      ...(props.logsKey !== undefined && { encryptionKey: props.logsKey }),
    });
    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `What the ${name} of the workflow ${props.workflow} may do`,
    });
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [this.logGroup.logGroupArn],
      }),
    );
    for (const statement of props.rights) this.role.addToPolicy(statement);
    if (props.network !== undefined) this.role.addToPolicy(networkRights());
    this.function = new LambdaFunction(this, "Function", {
      description: `The ${name} of the workflow ${props.workflow}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: props.bundling.architecture === "arm64" ? Architecture.ARM_64 : Architecture.X86_64,
      layers: props.bundling.layers.map(({ arn }, index) =>
        LayerVersion.fromLayerVersionArn(this, `Layer${index + 1}`, arn),
      ),
      code: functionCode(name, props.workflowFile, props),
      handler: HANDLER,
      role: this.role,
      timeout: Duration.seconds(topology.timeoutSeconds),
      memorySize: topology.memoryMb,
      ...(props.reservedConcurrency !== undefined && { reservedConcurrentExecutions: props.reservedConcurrency }),
      recursiveLoop: props.recursiveLoop,
      tracing: props.tracing ? Tracing.ACTIVE : Tracing.DISABLED,
      logGroup: this.logGroup,
      ...(props.network !== undefined && inNetwork(props.network)),
      ...(props.environmentKey !== undefined && { environmentEncryption: props.environmentKey }),
      environment: { ...props.environment, NODE_OPTIONS: nodeOptions(props.environment.NODE_OPTIONS) },
    });
    const reason = wildcardReason(props);
    if (reason !== undefined) Validations.of(this.role).acknowledge({ id: "AwsSolutions-IAM5[Resource::*]", reason });
  }
}

/** Why the role has rights on all resources. `undefined`: it has none. */
function wildcardReason({ tracing, network }: FanOutFunctionProps): string | undefined {
  const actions = [
    ...(tracing ? ["the two actions of X-Ray that send traces"] : []),
    ...(network !== undefined ? ["Lambda's actions on network interfaces"] : []),
  ].join(", and ");
  return actions === "" ? undefined : `${actions.charAt(0).toUpperCase()}${actions.slice(1)} accept no other resource.`;
}

const inNetwork = ({ vpc, subnets, securityGroups }: FunctionNetwork) => ({
  vpc,
  ...(subnets !== undefined && { vpcSubnets: subnets }),
  ...(securityGroups !== undefined && { securityGroups: [...securityGroups] }),
});

/**
 * What Lambda needs to connect a function to a VPC.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
 */
const networkRights = (): PolicyStatement =>
  new PolicyStatement({
    actions: [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ],
    resources: ["*"],
  });

/** Node's flags for the functions. If a flag of the user contradicts one of Sluice, Node uses the later one. */
const nodeOptions = (own: string | undefined): string => [...NODE_FLAGS, ...(own === undefined ? [] : [own])].join(" ");
