import { startEntry } from "../shared/messages/control.ts";
import type { ControlEntry } from "../shared/queue.ts";

/** The message that starts a run now. */
export function newStart(options: { workflow: string; run: string; limit?: number | undefined }): ControlEntry {
  const { limit, ...run } = options;
  return startEntry({ ...run, requestedAt: new Date().toISOString(), ...(limit !== undefined && { limit }) });
}
