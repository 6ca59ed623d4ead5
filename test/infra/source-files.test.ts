import {
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Stack } from "aws-cdk-lib";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { BUNDLE_FILE } from "../../infra/bundling.ts";
import { copySourceFiles, sourceFiles } from "../../infra/source-files.ts";
import { engineAccess } from "../../local/access/engine-access.ts";
import { ExecutionEnvironment } from "../../local/lambda/execution-environment.ts";
import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { functionEnvironment, toVariables } from "../../shared/definition/function-environment.ts";
import { topology as topologyOf } from "../../shared/definition/topology.ts";
import { fileLines, items, toSource } from "../../shared/index.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { temporaryDirectory } from "../helpers/test-engine.ts";
import workflow from "./file-workflows/orders.ts";
import { fanOutIn, newApp, root } from "./synthesis.ts";

const workflowFile = fileURLToPath(new URL("./file-workflows/orders.ts", import.meta.url));
const DATA = "test/infra/file-workflows/data";
const FILE = `${DATA}/orders.jsonl`;
const JSONL = { format: "jsonl" } as const;

/** The directories of the functions' code in a synthesised stack: the producer's and the consumer's. */
function assetsOf(outdir: string, stackNames: readonly string[], app: ReturnType<typeof newApp>): readonly string[] {
  const assembly = app.synth();
  return stackNames.flatMap((name) =>
    Object.values<{ Type: string; Properties: { Code: { S3Key: string } } }>(
      assembly.getStackByName(name).template.Resources,
    )
      .filter(({ Type }) => Type === "AWS::Lambda::Function")
      .map(({ Properties }) => join(outdir, `asset.${basename(Properties.Code.S3Key, ".zip")}`)),
  );
}

const filesIn = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => relative(directory, join(parentPath, name)))
    .toSorted();

describe("a workflow whose source reads a file", () => {
  const outdir = mkdtempSync(join(tmpdir(), "sluice-files-"));
  let [producer, consumer, otherProducer]: readonly string[] = [];

  beforeAll(() => {
    const app = newApp({ bundle: true, outdir });
    fanOutIn(new Stack(app, "Orders"), { workflow, workflowFile });
    const environment = { ORDERS_FILE: `${DATA}/others.jsonl` };
    fanOutIn(new Stack(app, "Others"), { workflow, workflowFile, environment });
    [producer, consumer, otherProducer] = assetsOf(outdir, ["Orders", "Others"], app);
  });
  afterAll(() => rmSync(outdir, { recursive: true }));

  test("is deployed with the file in the producer only", () => {
    expect(filesIn(producer ?? "")).toEqual([BUNDLE_FILE, `${BUNDLE_FILE}.map`, FILE]);
    expect(readFileSync(join(producer ?? "", FILE))).toEqual(readFileSync(FILE));
    expect(filesIn(consumer ?? "")).toEqual([BUNDLE_FILE, `${BUNDLE_FILE}.map`]);
  });

  test("is deployed with another file in a stack whose environment says so", () => {
    expect(filesIn(otherProducer ?? "")).toEqual([BUNDLE_FILE, `${BUNDLE_FILE}.map`, `${DATA}/others.jsonl`]);
  });

  test("reads it where the function runs, over slices", async () => {
    using directory = temporaryDirectory();
    const topology = topologyOf(workflow);
    const state = new StateDirectory(workflow.name, directory.path);
    const services = await openServices({ workflow: workflow.name, topology, state });
    onTestFinished(() => services.close());
    const { sqs, names, dynamoDb, accessKeyId, queue, runs } = services;
    const log = openSync(join(directory.path, "log"), "w");
    // Lambda's working directory is that of the function's code; a process begins in that of the one that starts it.
    process.chdir(producer ?? "");
    onTestFinished(() => process.chdir(root));
    const environment = new ExecutionEnvironment(
      {
        name: "producer",
        bundle: join(producer ?? "", BUNDLE_FILE),
        timeoutSeconds: topology.producer.timeoutSeconds,
        memoryMb: topology.producer.memoryMb,
        log,
        variables: {
          AWS_REGION: "us-east-1",
          ...toVariables(
            functionEnvironment(topology, {
              queueUrl: sqs.queueUrl(names.queue),
              deadLetterQueueUrl: sqs.queueUrl(names.deadLetterQueue),
              controlQueueUrl: sqs.queueUrl(names.controlQueue),
              controlDeadLetterQueueUrl: sqs.queueUrl(names.controlDeadLetterQueue),
              access: engineAccess({ sqs: sqs.endpoint, dynamoDb: dynamoDb.endpoint, accessKeyId }),
              table: `${workflow.name}-ledger`,
              fastPath: true,
            }),
          ),
        },
      },
      { onActivity: () => {}, onPeakMemory: () => {} },
    );
    onTestFinished(() => environment.kill());
    const handleControlMessage = async () => {
      const [message] = await services.controlQueue.receive({ max: 1, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
      const attributes = { MessageGroupId: "run", ApproximateReceiveCount: "1" };
      const record = { messageId: message?.id, receiptHandle: message?.receiptHandle, body: message?.body, attributes };
      const outcome = await environment.invoke({ Records: [record] }, "request");
      expect(outcome).toEqual({ tag: "returned", result: { batchItemFailures: [] } });
      await services.controlQueue.deleteAll([message?.receiptHandle ?? ""]);
    };

    const requestedAt = new Date(0).toISOString();
    await services.controlQueue.sendControl(startEntry({ workflow: workflow.name, run: "run", requestedAt }));
    // A start sends the first page, of two items, and its continuation sends the rest.
    await handleControlMessage();
    expect((await runs.get("run")).checkpoint).toMatchObject({ items: 2, ended: false });
    await handleControlMessage();

    const messages = await queue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 30 });
    expect(messages.map(({ body }) => JSON.parse(body).item).toSorted((a, b) => a.id - b.id)).toEqual([
      { id: 1 },
      { id: 2 },
      { id: 3 },
    ]);
    expect((await runs.get("run")).checkpoint).toMatchObject({ items: 3, ended: true });
  });
});

describe("the files of a source", () => {
  const files = (source: object, variables = {}) =>
    sourceFiles({ name: "orders", source: toSource(source as never) }, variables);

  test("are packed once each", () => {
    const [orders, others] = [`${DATA}/orders.jsonl`, `${DATA}/others.jsonl`];
    expect(files(fileLines(orders, JSONL))).toEqual([{ path: orders, bytes: 27 }]);
    const readPage = () => ({ items: [] });
    expect(files({ readPage, files: () => [others, orders, `./${orders}`] }).map(({ path }) => path)).toEqual([
      others,
      orders,
    ]);
    expect(files({ readPage })).toEqual([]);
    expect(files(items([1]))).toEqual([]);
  });

  test("depend on the environment variables of the function, not of the shell", () => {
    const source = fileLines(({ PATH }) => PATH ?? FILE, JSONL);
    expect(process.env.PATH).toBeDefined();
    expect(files(source).map(({ path }) => path)).toEqual([FILE]);
    expect(files(source, { PATH: `${DATA}/others.jsonl` }).map(({ path }) => path)).toEqual([`${DATA}/others.jsonl`]);
    const failing = fileLines(({ PATH }) => (PATH as string).trim(), JSONL);
    expect(() => files(failing)).toThrow(/cannot say which files it reads: .* names in environment/);
  });

  test.each([
    ["is missing", "no/such.jsonl", /reads no\/such\.jsonl \(\/.*ENOENT.*Put the file there, or correct the path/],
    ["is a directory", DATA, /which is not a file/],
    ["is above the working directory", "../orders.jsonl", /not below the working directory .* move the file there/],
    ["is elsewhere", "/etc/hostname", /not below the working directory/],
    [
      "is absolute",
      resolve(FILE),
      /not where the file is on Lambda: .* "test\/infra\/file-workflows\/data\/orders\.jsonl"/,
    ],
    ["is a URL", pathToFileURL(FILE), /not where the file is on Lambda/],
    ["has the bundle's name", "./index.mjs", /the name of the function's own bundle: rename the file/],
  ])("a path that %s is refused at synth", (_, path, message) => {
    expect(() => files(fileLines(path, JSONL))).toThrow(message);
  });

  test("have at most 100 MB in total", () => {
    const directory = mkdtempSync(join(process.cwd(), "test/infra/large-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const paths = ["a", "b"].map((name) => relative(process.cwd(), join(directory, name)));
    for (const path of paths) {
      writeFileSync(path, "");
      truncateSync(path, 50 * 1_024 * 1_024);
    }
    const source = { readPage: () => ({ items: [] }), files: () => paths };
    expect(files(source)).toHaveLength(2);
    truncateSync(paths[1] ?? "", 50 * 1_024 * 1_024 + 1);
    expect(() => files(source)).toThrow(/more than the 100 MB that are packed with its producer\. Put the file where/);
  });

  test("are copied with read permission for all users, and links are followed", () => {
    const directory = mkdtempSync(join(process.cwd(), "test/infra/linked-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const [path, target] = [relative(process.cwd(), join(directory, "link")), join(directory, "target")];
    writeFileSync(target, "content", { mode: 0o600 });
    symlinkSync("target", path);
    const copies = join(directory, "copies");

    copySourceFiles([{ path, bytes: 7 }], copies);

    expect(readFileSync(join(copies, path), "utf8")).toBe("content");
    expect(statSync(join(copies, path)).mode & 0o777).toBe(0o644);
  });

  test("a stack without code, as for cdk destroy, needs no file", () => {
    const source = fileLines("no/such.jsonl", JSONL);
    const destroyed = () => fanOutIn(new Stack(newApp(), "Stack"), { options: { source } });
    const deployed = () => fanOutIn(new Stack(newApp({ bundle: true }), "Stack"), { options: { source } });
    expect(destroyed).not.toThrow();
    expect(deployed).toThrow("no/such.jsonl");
  });
});
