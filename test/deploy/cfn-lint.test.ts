import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Stack } from "aws-cdk-lib";
import { Table } from "aws-cdk-lib/aws-dynamodb";
import { Key } from "aws-cdk-lib/aws-kms";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Queue } from "aws-cdk-lib/aws-sqs";
import { expect, inject, test } from "vitest";
import { loadWorkflows } from "../../infra/workflow-files.ts";
import { fanOutIn, newApp, root } from "../infra/synthesis.ts";
import { pythonCommand } from "./python.ts";

/** Rules that are not heeded, and why. */
const IGNORED = {
  // The CDK itself makes a function depend on its role beside referring to it.
  W3005: "redundant dependencies",
};

test("cfn-lint finds nothing in the template of any workflow, nor with every option", async () => {
  const outdir = join(inject("workspace"), "templates");
  const app = newApp({ outdir });
  for (const { workflow, file } of await loadWorkflows(join(root, "workflows"))) {
    fanOutIn(new Stack(app, workflow.name), { workflow, workflowFile: file });
  }
  const full = new Stack(app, "full");
  fanOutIn(full, {
    options: { results: true },
    encryptionKey: new Key(full, "Key", { enableKeyRotation: true }),
    alarmTopic: new Topic(full, "Topic", { enforceSSL: true, masterKey: new Key(full, "TopicKey") }),
    secrets: { API_KEY: new Secret(full, "Secret"), OTHER: "shop/other", THIRD: "ssm:/shop/third" },
    deletionProtection: true,
    environment: { API_URL: "https://api.test" },
    schedule: { expression: "cron(0 8 ? * MON-FRI *)", timeZone: "Europe/Berlin", flexibleWindow: { hours: 1 } },
    permissions: [{ actions: ["s3:GetObject"], resources: ["arn:aws:s3:::invoices/*"] }],
  });
  const given = new Stack(app, "given");
  const bucket = Bucket.fromBucketName(given, "Results", "acme-results");
  fanOutIn(given, { options: { results: true }, results: { bucket, prefix: "prod" } });
  const queue = (id: string, name: string) =>
    Queue.fromQueueArn(given, id, `arn:aws:sqs:us-east-1:111122223333:${name}`);
  fanOutIn(
    given,
    {
      options: { name: "imported" },
      table: Table.fromTableName(given, "Table", "ledger"),
      queues: {
        queue: queue("Items", "items"),
        deadLetterQueue: queue("Dead", "dead"),
        controlQueue: queue("Control", "control.fifo"),
        controlDeadLetterQueue: queue("ControlDead", "control-dead.fifo"),
      },
      schedule: "rate(1 day)",
    },
    "Imported",
  );
  app.synth();
  const templates = readdirSync(outdir).filter((name) => name.endsWith(".template.json"));
  expect(templates.length).toBeGreaterThan(3);
  const ignored = ["--ignore-checks", ...Object.keys(IGNORED)];
  const files = templates.map((name) => join(outdir, name));
  const lint = promisify(execFile)(pythonCommand("cfn-lint"), [
    "--non-zero-exit-code",
    "informational",
    ...ignored,
    "--",
    ...files,
  ]).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; message: string }) => error.stdout || error.message,
  );
  expect(await lint).toBe("");
});
