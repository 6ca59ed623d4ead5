import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { runTask, runWorkflow } from "sluice/testing";
import workflow from "../workflows/thumbnails.ts";

/** An image of one colour. */
const image = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "teal" } })
    .png()
    .toBuffer();

/** Answers each GET with these bytes, and returns what is stored. */
function serve(t: test.TestContext, bytes: Uint8Array): Uint8Array[] {
  const stored: Uint8Array[] = [];
  t.mock.method(globalThis, "fetch", async (_url: string, { method, body }: RequestInit = {}) => {
    if (method !== "PUT") return new Response(new Uint8Array(bytes));
    stored.push(body as Uint8Array);
    return new Response("");
  });
  return stored;
}

test("an image becomes a thumbnail whose longest side has 128 pixels", async (t) => {
  const stored = serve(t, await image(640, 320));
  const result = await runTask(workflow, { id: "a", path: "a.png" });
  const { format, width, height } = await sharp(stored[0]).metadata();
  assert.deepEqual({ format, width, height }, { format: "webp", width: 128, height: 64 });
  assert.deepEqual(result, { id: "a", width: 128, height: 64, bytes: stored[0]?.length });
});

test("a small image is not enlarged", async (t) => {
  serve(t, await image(20, 10));
  const { width, height } = await runTask(workflow, { id: "a", path: "a.png" });
  assert.deepEqual({ width, height }, { width: 20, height: 10 });
});

test("a file that is no image is a dead letter after one attempt", async (t) => {
  const stored = serve(t, Buffer.from("no image"));
  const run = await runWorkflow(workflow, { items: [{ id: "a", path: "a.png" }] });
  assert.equal(run.failures[0]?.reason, "permanent");
  assert.equal(run.failures[0]?.attempts, 1);
  assert.equal(stored.length, 0);
});
