import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openServices } from "../../local/local-services.ts";
import { StateDirectory } from "../../local/state-directory.ts";
import type { OutgoingMessage } from "../../shared/aws/queue.ts";
import { type CliWorld, type Ended, workflowFile } from "./cli.ts";
import { sharedWorld } from "./shared-worlds.ts";

/** The shared world in which the workflow `mortal` has run. Eleven of its sixteen items are in the dead-letter queue. */
export const mortalWorld = () => sharedWorld("mortal", (world) => run(world, "mortal"));

/** The shared world in which the workflow `small` has run. One of its twelve items is in the dead-letter queue. */
export const smallWorld = () => sharedWorld("small", (world) => run(world, "small"));

async function run(world: CliWorld, workflow: string): Promise<void> {
  const { code, stderr } = await world.type("run", workflowFile(workflow), "--json");
  if (code !== 2) throw new Error(`the run of ${workflow} ended with ${code}: ${stderr}`);
}

/** Puts messages into the dead-letter queue that Sluice did not send. */
export async function sendForeign(world: CliWorld, messages: readonly OutgoingMessage[]): Promise<void> {
  const state = new StateDirectory("mortal", join(world.path, ".sluice"));
  const services = await openServices({ workflow: "mortal", state });
  await services.deadLetterQueue.sendAll(messages);
  await services.close();
}

/** Makes the service reachable. The items that died because of it then succeed. */
export const fix = (world: CliWorld): void => writeFileSync(join(world.path, "fixed"), "");

/** The run with its counts, as `status --json` prints them. */
export const statusOf = async (world: CliWorld) => lastOf(await world.type("status", "--json"));

/** How many dead letters there are of each reason. */
export async function deadByReason(world: CliWorld): Promise<Readonly<Record<string, number>>> {
  const { json } = await world.type("dlq", "--by", "reason", "--json");
  return Object.fromEntries(json.filter(({ type }) => type === "group").map(({ name, count }) => [name, count]));
}

export async function idsOf(world: CliWorld, ...filters: readonly string[]): Promise<readonly string[]> {
  const { json } = await world.type("dlq", "list", "--by", "dead-letter", "--json", ...filters);
  return json.filter(({ type }) => type === "deadLetter").map(({ id }) => String(id));
}

export const lastOf = ({ json }: Ended) => json.at(-1);
