import type { ControlEntry } from "../../shared/aws/queue.ts";
import { startEntry } from "../../shared/messages/control.ts";

/** The control message that starts a run now. */
export function newStart(options: { workflow: string; run: string; limit?: number | undefined }): ControlEntry {
  const { limit, ...run } = options;
  return startEntry({ ...run, requestedAt: new Date().toISOString(), ...(limit !== undefined && { limit }) });
}
