import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startDynamoDbThread } from "../../../local/dynamodb/dynalite-thread.ts";
import { beginThread, takeThread } from "../../../local/dynamodb/early-thread.ts";

test("DynamoDB runs in the thread that was started early, and only once", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-early-"));
  try {
    beginThread();
    beginThread();
    const early = takeThread();
    const other = takeThread();
    expect(other.threadId).toBe(early.threadId + 1);
    await Promise.all([early.terminate(), other.terminate()]);
    beginThread();
    const dynamoDb = await startDynamoDbThread({ path: join(directory, "tables"), accessKeyId: "test" });
    expect(dynamoDb.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await dynamoDb.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a thread that ended before it was taken is replaced", async () => {
  const ended = beginThread();
  await ended.terminate();
  const next = takeThread();
  expect(next).not.toBe(ended);
  await next.terminate();
});
