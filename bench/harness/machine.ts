import { cpus, totalmem, type } from "node:os";

/** What the numbers were measured on. */
export function machine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? "unknown processor";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} cores (${model}), ${memory} GB, ${type()}, Node ${process.versions.node}`;
}
