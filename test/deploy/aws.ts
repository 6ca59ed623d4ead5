import { execFile, spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SQSClient } from "@aws-sdk/client-sqs";
import { inject } from "vitest";
import { DynamoDbStore } from "../../shared/aws/dynamodb-table.ts";
import { Ledger } from "../../shared/ledger/ledger.ts";
import type { Runs } from "../../shared/ledger/runs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const region = "us-east-1";
const credentials = { accessKeyId: "test", secretAccessKey: "test" };

/** An account of the emulator alone: nothing of the user's own can be meant, or reached. */
function awsVariables(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS_|CDK_|CITIES_)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter),
    HOME: inject("workspace"),
    AWS_ENDPOINT_URL: inject("endpoint"),
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
    CDK_DISABLE_CLI_TELEMETRY: "true",
    CDK_DISABLE_VERSION_CHECK: "true",
  };
}

/** Runs the CDK's command line in the checkout, as a user does. */
export async function cdk(...args: readonly string[]): Promise<void> {
  const output = join(inject("workspace"), "cdk.out");
  await run(join(root, "node_modules/.bin/cdk"), [...args, "--output", output, "--no-notices", "--no-color"]);
}

/** Runs a command of the CLI, and returns what it prints. */
export const typed = (...args: readonly string[]): Promise<string> =>
  run(process.execPath, ["--no-warnings", join(root, "cli/sluice.ts"), ...args]);

/** Runs a command of the CLI, and reads what it prints: an object a line. */
export async function sluice(...args: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  const printed = await typed(...args);
  const lines = printed.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line));
}

/** Begins a command of the CLI that does not end by itself. */
export const begin = (args: readonly string[], variables: NodeJS.ProcessEnv) =>
  spawn(process.execPath, ["--no-warnings", join(root, "cli/sluice.ts"), ...args], {
    // The dashboard keeps its files below the directory.
    cwd: inject("workspace"),
    env: { ...awsVariables(), ...variables },
    stdio: ["ignore", "pipe", "inherit"],
  });

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: root, env: awsVariables(), maxBuffer: 100_000_000 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(" ")} failed:\n${stdout}\n${stderr}`));
    });
  });
}

export const sqsClient = () => new SQSClient({ endpoint: inject("endpoint"), region, credentials });
export const dynamoDbClient = () => new DynamoDBClient({ endpoint: inject("endpoint"), region, credentials });

/** The runs in a deployed ledger. */
export const runsIn = (client: DynamoDBClient, table: string): Runs =>
  new Ledger(new DynamoDbStore(client, table)).runs;
