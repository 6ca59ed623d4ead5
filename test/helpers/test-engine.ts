import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Engine, startEngine } from "../../local/engine.ts";
import { openServices, type Services } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { type Topology, topology } from "../../shared/definition/topology.ts";
import type { Workflow } from "../../shared/definition/workflow.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { type DeadLetterEnvelope, parseEnvelope } from "../../shared/messages/envelope.ts";

/** Makes a directory that is removed when it is disposed of. */
export function temporaryDirectory() {
  const path = mkdtempSync(join(tmpdir(), "sluice-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** An engine, and the services that belong to it. */
export type TestEngine = Engine & { readonly services: Services };

/** Starts the engine for a workflow of `test/helpers/workflows`. */
export async function startTestEngine(
  name: string,
  root: string,
  change: (topology: Topology) => Topology = (same) => same,
): Promise<TestEngine> {
  const engine = await prepareTestEngine(name, root, change);
  engine.deliver();
  return engine;
}

/** Does the same, but delivers no messages yet. */
export async function prepareTestEngine(
  name: string,
  root: string,
  change: (topology: Topology) => Topology = (same) => same,
): Promise<TestEngine> {
  const workflowFile = fileURLToPath(new URL(`./workflows/${name}.ts`, import.meta.url));
  const { default: workflow } = (await import(workflowFile)) as { default: Workflow };
  const options = { topology: change(topology(workflow)), state: new StateDirectory(name, root) };
  const services = await openServices({ ...options, workflow: name });
  const engine = await startEngine(
    {
      ...options,
      workflow,
      workflowFile,
      variables: { MARKERS: root },
      // A consumer in a loop would be stopped, as on Lambda.
      detectsLoops: true,
    },
    services,
  );
  return { ...engine, services };
}

export async function startRun(engine: Engine, workflow: string, run: string): Promise<void> {
  await engine.controlQueue.sendControl(startEntry({ workflow, run, requestedAt: new Date().toISOString() }));
}

/** Receives all messages of the dead-letter queue. */
export async function rawDeadLetters(engine: Engine) {
  const deadLetters = [];
  for (;;) {
    const batch = await engine.deadLetterQueue.receive({ max: 10, waitSeconds: 0, visibilityTimeoutSeconds: 600 });
    if (batch.length === 0) return deadLetters;
    deadLetters.push(...batch);
  }
}

export async function deadLetters(engine: Engine): Promise<DeadLetterEnvelope[]> {
  return (await rawDeadLetters(engine)).map(({ body }) => parseEnvelope(body) as DeadLetterEnvelope);
}
