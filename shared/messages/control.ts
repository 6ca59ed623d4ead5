import * as z from "zod";
import type { ControlEntry } from "../aws/queue.ts";
import { MalformedMessageError } from "../base/errors.ts";
import { refuseNewer } from "../base/newer-version.ts";

/** The newest version of a control message that this code reads. See `docs/internals/versions.md`. */
const NEWEST = 1;

const controlSchema = z.discriminatedUnion("type", [
  z.strictObject({
    sluice: z.literal(1),
    type: z.literal("start"),
    workflow: z.string(),
    /** The run's identity: two starts of one run are one. */
    run: z.string(),
    /** When the run was asked for, ISO 8601: the start of its wall time. */
    requestedAt: z.string(),
    /** Items at the most. */
    limit: z.int().min(1).optional(),
    /** By a schedule: the workflow's `overlap` decides whether it starts. */
    scheduled: z.literal(true).optional(),
    /** Rises each time a start that waits for an earlier run is passed on. */
    hop: z.int().min(1).optional(),
  }),
  z.strictObject({
    sluice: z.literal(1),
    type: z.literal("continue"),
    workflow: z.string(),
    run: z.string(),
    /** Rises with each continuation of a run, so that a late duplicate is known. */
    hop: z.int().min(1),
  }),
  z.strictObject({
    sluice: z.literal(1),
    type: z.literal("complete"),
    workflow: z.string(),
    run: z.string(),
  }),
]);

/** A message on the control queue. */
export type ControlMessage = Readonly<z.infer<typeof controlSchema>>;
export type StartMessage = Extract<ControlMessage, { type: "start" }>;
export type ContinueMessage = Extract<ControlMessage, { type: "continue" }>;

export type CompleteMessage = Extract<ControlMessage, { type: "complete" }>;

/**
 * The control message in a body.
 *
 * @throws {NewerVersionError} A newer version of Sluice wrote it: it must be left as it is.
 * @throws {MalformedMessageError} It is none.
 */
export function parseControlMessage(body: string): ControlMessage {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw new MalformedMessageError(`the control message is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof json === "object" && json !== null && "sluice" in json) {
    refuseNewer(json.sluice, NEWEST, "the control message");
  }
  const parsed = controlSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new MalformedMessageError(`not a control message: ${z.prettifyError(parsed.error)}`);
}

/**
 * A start by hand is the first message of its run's own group, so that nothing else works on the run meanwhile. Those by
 * a schedule follow each other, as each may have to give way to the one before.
 */
export function startEntry(message: Omit<StartMessage, "sluice" | "type">): ControlEntry {
  return {
    body: JSON.stringify({ sluice: 1, type: "start", ...message } satisfies StartMessage),
    group: message.scheduled === true ? message.workflow : message.run,
    deduplicationId: `start-${message.run}-${message.hop ?? 0}`,
  };
}

/** One producer at a time works on a run. */
export function continueEntry(message: Omit<ContinueMessage, "sluice" | "type">): ControlEntry {
  return {
    body: JSON.stringify({ sluice: 1, type: "continue", ...message } satisfies ContinueMessage),
    group: message.run,
    deduplicationId: `continue-${message.run}-${message.hop}`,
  };
}

/**
 * A continuation that only waits: until its run's source may be read again, it is hidden in a message group of its own,
 * so that the run can still be cancelled or resumed. Then it sends the continuation itself.
 *
 * @param suffix Tells a message that replaces another from it.
 */
export function waitEntry(message: Omit<ContinueMessage, "sluice" | "type">, suffix = ""): ControlEntry {
  return {
    ...continueEntry(message),
    group: waitGroup(message.run),
    deduplicationId: `wait-${message.run}-${message.hop}${suffix}`,
  };
}

/** The message group of a run's `waitEntry`. */
export const waitGroup = (run: string): string => `wait-${run}`;

/** What a run's end sets off waits for nothing else, and is done once. */
export function completeEntry(message: Omit<CompleteMessage, "sluice" | "type">): ControlEntry {
  return {
    body: JSON.stringify({ sluice: 1, type: "complete", ...message } satisfies CompleteMessage),
    group: `complete-${message.run}`,
    deduplicationId: `complete-${message.run}`,
  };
}
