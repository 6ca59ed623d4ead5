import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import type { Engine } from "../../../local/engine.ts";
import { watchChildren } from "../../helpers/child-processes.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { deadLetters, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

const childrenEnded = await watchChildren();

const patiently = { ...PATIENTLY, interval: 50 };

/** Runs the engine in a process of its own, and kills it once so many items have succeeded. */
async function killAfter(succeeded: number, root: string): Promise<number> {
  const entry = fileURLToPath(new URL("../../helpers/engine-process.ts", import.meta.url));
  const engine = fork(entry, ["steady", root, "r1"], {
    stdio: "inherit",
    execArgv: ["--no-warnings"],
    env: { ...process.env, MARKERS: root },
  });
  const exited = once(engine, "exit");
  let seen = 0;
  engine.on("message", (count) => {
    seen = Number(count);
    if (seen >= succeeded) engine.kill("SIGKILL");
  });
  await exited;
  return seen;
}

const counts = async (engine: Engine) => await engine.runs.counts(await engine.runs.get("r1"));

test("a run completes with exact counts after one engine was killed and another one was closed during the run", async () => {
  using directory = temporaryDirectory();
  // However late this process sees the counts, the run has not ended. Each environment may exceed the number by its tasks.
  const allow = (attempts: number) => writeFileSync(join(directory.path, "allowed"), String(attempts));
  allow(100);
  const killedAt = await killAfter(50, directory.path);
  expect(killedAt).toBeGreaterThanOrEqual(50);

  allow(200);
  const closed = await startTestEngine("steady", directory.path);
  const { succeeded } = await counts(closed);
  expect(succeeded).toBeGreaterThanOrEqual(killedAt);
  await vi.waitUntil(async () => (await counts(closed)).succeeded >= succeeded + 50, patiently);
  const { pending } = await counts(closed);
  await closed.close();
  expect(pending).toBeGreaterThan(0);
  await childrenEnded();

  rmSync(join(directory.path, "allowed"));
  const engine = await startTestEngine("steady", directory.path);
  try {
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.status === "completed", patiently);
    expect(await counts(engine)).toMatchObject({
      produced: 300,
      succeeded: 300,
      dead: 0,
      retried: 30,
      pending: 0,
      deadByReason: {},
    });
    expect(await deadLetters(engine)).toEqual([]);
  } finally {
    await engine.close();
  }
});
