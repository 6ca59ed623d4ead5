import { randomUUID } from "node:crypto";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { loadWorkflow } from "../../cli/targets/workflow-file.ts";
import { startEngine } from "../../local/engine.ts";
import type { Faults } from "../../local/sqs/injected-faults.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import { topology } from "../../shared/definition/topology.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";
import { startEntry } from "../../shared/messages/control.ts";
import { type InvocationReport, probeVariables, readReports } from "./probe-reports.ts";

/** Each look takes some of the cores' time; the run's own record tells when it has ended. */
const POLL_MILLISECONDS = 500;
/** A consumer's last poll takes up to a second. */
const DRAIN_MILLISECONDS = 5_000;

export interface EngineRun {
  /** From the request of the run to its completion record. */
  readonly wallSeconds: number;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
  readonly completedAt: number;
  /** The same from the start of this process: with bundling, the start of the services and the first environments. */
  readonly fromCommandSeconds: number;
  readonly memoryMb: number;
  readonly concurrency: number;
  readonly items: number;
  /** Of the engine's own process, during the run: queue, ledger and mappings. */
  readonly engineCpuSeconds: number;
  /** Of every invocation of the run. */
  readonly reports: readonly InvocationReport[];
}

/**
 * Runs a workflow on the embedded engine as `sluice run` does, in a state directory of its own.
 *
 * @param options.variables Environment variables, for the workflow here and in its functions.
 * @param options.attempts Whether each attempt is reported. Default: true.
 * @throws An item did not succeed.
 */
export async function runOnEngine(options: {
  readonly workflow: string;
  readonly directory: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly attempts?: boolean;
  /** Default: none. */
  readonly faults?: Faults;
}): Promise<EngineRun> {
  Object.assign(process.env, options.variables);
  const file = resolve(fileURLToPath(new URL("../../", import.meta.url)), options.workflow);
  const { workflow } = await loadWorkflow(file);
  const shape = topology(workflow);
  const probes = join(options.directory, "probes");
  const engine = await startEngine({
    workflow,
    workflowFile: file,
    topology: shape,
    state: new StateDirectory(workflow.name, join(options.directory, "state")),
    variables: { ...options.variables, ...probeVariables(probes, options.attempts) },
    ...(options.faults && { faults: options.faults }),
  });
  try {
    await engine.warm();
    const run = randomUUID();
    const cpuBefore = process.cpuUsage();
    const requestedAt = new Date().toISOString();
    await engine.controlQueue.sendControl(startEntry({ workflow: workflow.name, run, requestedAt }));
    engine.deliver();
    let record: RunRecord | undefined;
    do {
      await setTimeout(POLL_MILLISECONDS);
      record = await engine.runs.find(run);
      if (record?.status === "failed") throw new Error(`the run failed: ${record.failure}`);
    } while (record?.status !== "completed");
    const cpu = process.cpuUsage(cpuBefore);
    const completedAt = Date.parse(record.completedAt ?? "");
    const { produced, succeeded } = await engine.runs.counts(record);
    if (succeeded !== produced) throw new Error(`only ${succeeded} of ${produced} items succeeded`);
    await Promise.race([engine.drain(), setTimeout(DRAIN_MILLISECONDS)]);
    return {
      requestedAt: Date.parse(requestedAt),
      completedAt,
      wallSeconds: (completedAt - Date.parse(requestedAt)) / 1_000,
      fromCommandSeconds: (completedAt - performance.timeOrigin) / 1_000,
      memoryMb: workflow.memoryMb,
      concurrency: shape.concurrency,
      items: produced,
      engineCpuSeconds: (cpu.user + cpu.system) / 1e6,
      reports: readReports(probes),
    };
  } finally {
    await engine.close();
  }
}
