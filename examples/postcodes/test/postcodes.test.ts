import assert from "node:assert/strict";
import { test } from "node:test";
import { runTask, runWorkflow } from "sluice/testing";
import workflow from "../workflows/postcodes.ts";

const address = { id: "1", street: "1 Mill Lane", town: "Bath" };

test("an address becomes its postcode", async (t) => {
  t.mock.method(globalThis, "fetch", async () => Response.json({ postcode: "BA1 1AA" }));
  assert.deepEqual(await runTask(workflow, address), { id: 1, postcode: "BA1 1AA" });
});

test("a refusal is a wait, and the address succeeds afterwards", async (t) => {
  const answers = [
    new Response("", { status: 429, headers: { "retry-after": "3" } }),
    Response.json({ postcode: "BA1" }),
  ];
  t.mock.method(globalThis, "fetch", async () => answers.shift());
  const run = await runWorkflow(workflow, { items: [address] });
  assert.equal(run.succeeded, 1);
  assert.equal(run.elapsedMilliseconds >= 3_000, true);
});

test("an unknown address and a row without a town are dead letters", async (t) => {
  t.mock.method(globalThis, "fetch", async () => Response.json({ postcode: null }));
  const run = await runWorkflow(workflow, { items: [address, { ...address, town: "" }] });
  assert.equal(run.dead, 2);
});
