import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Stack } from "aws-cdk-lib";
import { describe, expect, onTestFinished, test } from "vitest";
import { addWorkflowStacks } from "../../infra/stacks.ts";
import { loadWorkflows } from "../../infra/workflow-files.ts";
import { newApp, root } from "./synthesis.ts";

/** Runs the app as the CDK does, and reads what it made. */
async function runApp(context: Record<string, unknown> = {}) {
  const outdir = mkdtempSync(join(tmpdir(), "sluice-app-"));
  onTestFinished(() => rmSync(outdir, { recursive: true }));
  const { app } = JSON.parse(readFileSync(join(root, "cdk.json"), "utf8"));
  const child = spawn(app, {
    cwd: root,
    shell: true,
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify({ "aws:cdk:bundling-stacks": [], ...context }),
    },
  });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  const read = (file: string) => JSON.parse(readFileSync(join(outdir, file), "utf8"));
  return { code, stderr, files: readdirSync(outdir), read };
}

/** A directory of workflow files, as a user would write them. */
function directoryOf(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-workflows-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(directory, { recursive: true });
  const library = join(root, "shared/index.ts");
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(
      join(directory, name),
      `import { defineWorkflow, items } from "${library}";
       const define = (name, more = {}) =>
         defineWorkflow({ name, source: items([1]), task: () => {}, concurrency: 10, ...more });
       ${content}`,
    );
  }
  return directory;
}

describe("the app", () => {
  test("makes one stack for each workflow in workflows/, which can be destroyed again", async () => {
    const { code, stderr, read, files } = await runApp();
    expect(code, stderr).toBe(0);
    const { artifacts } = read("manifest.json");
    for (const name of ["cities", "seconds", "unreliable"]) {
      expect(artifacts[name].properties.stackName).toBe(`sluice-${name}`);
      const { Resources } = read(`${name}.template.json`);
      const [table] = Object.values<Record<string, unknown>>(Resources).filter(
        ({ Type }) => Type === "AWS::DynamoDB::Table",
      );
      expect(table).toMatchObject({ DeletionPolicy: "Delete", Properties: { DeletionProtectionEnabled: false } });
    }
    expect(files.filter((file) => file.includes("local"))).toEqual([]);
  });

  test("applies the context values for protection and for the alarm topic", async () => {
    const workflows = directoryOf({ "one.mjs": 'export default define("one");', "one.local.ts": "nonsense(" });
    const alarmTopicArn = "arn:aws:sns:us-east-1:123456789012:alarms";
    const { code, stderr, read } = await runApp({ workflows, protect: "true", reserve: "false", alarmTopicArn });
    expect(code, stderr).toBe(0);
    expect(read("manifest.json").artifacts.one.properties.terminationProtection).toBe(true);
    const resources = Object.values<Record<string, unknown>>(read("one.template.json").Resources);
    const of = (type: string) => resources.filter(({ Type }) => Type === type);
    expect(of("AWS::DynamoDB::Table")).toMatchObject([
      { DeletionPolicy: "Retain", Properties: { DeletionProtectionEnabled: true } },
    ]);
    const retainedQueues = of("AWS::SQS::Queue").filter(({ DeletionPolicy }) => DeletionPolicy === "Retain");
    expect(retainedQueues, "the dead-letter queues of the queue and of the control queue").toHaveLength(2);
    for (const { Properties } of of("AWS::CloudWatch::Alarm"))
      expect(Properties).toMatchObject({ AlarmActions: [alarmTopicArn] });
    for (const { Properties } of of("AWS::Lambda::Function")) {
      expect(Properties).not.toHaveProperty("ReservedConcurrentExecutions");
    }
  });
});

test("a context value must be true or false, as text or as a boolean", async () => {
  const workflows = directoryOf({ "one.mjs": 'export default define("one");' });
  const stacksOf = async (context: Record<string, unknown>) => {
    const app = newApp();
    for (const [key, value] of Object.entries({ workflows, ...context })) app.node.setContext(key, value);
    return (await addWorkflowStacks(app)).map((fanOut) => Stack.of(fanOut));
  };
  expect(await stacksOf({ protect: true })).toMatchObject([{ stackName: "sluice-one", terminationProtection: true }]);
  expect(await stacksOf({ protect: false })).toMatchObject([{ terminationProtection: false }]);
  await expect(stacksOf({ protect: "yes" })).rejects.toThrow('the context protect must be true or false, but is "yes"');
  await expect(stacksOf({ reserve: 1 })).rejects.toThrow("the context reserve must be true or false, but is 1");
});

test("a file without a workflow is refused by its name", async () => {
  const refusal = async (files: Readonly<Record<string, string>>) =>
    await loadWorkflows(directoryOf(files)).then(
      () => "none",
      ({ message }: Error) => message,
    );
  const same = 'export default define("same");';
  expect(await refusal({ "a.mjs": same, "b.mjs": same })).toMatch(/a\.mjs and .*b\.mjs both define "same": rename one/);
  expect(await refusal({ "none.mjs": "export default 1;" })).toMatch(/none\.mjs does not define a workflow/);
  expect(await refusal({ "wrong.mjs": 'export default define("X");' })).toMatch(/wrong\.mjs: name must/);
  expect(await refusal({ "one.mjs": same, "one.local.ts": "nonsense(", "types.d.ts": "nonsense(" })).toBe("none");
  await expect(loadWorkflows("/no/such")).rejects.toThrow("there is no directory /no/such");
});
