import * as z from "zod";
import type { ControlEntry } from "../aws/queue.ts";
import { MalformedMessageError } from "../base/errors.ts";
import { refuseNewer } from "../base/newer-version.ts";

/** The newest version of a control message that this code reads. See `docs/internals/versions.md`. */
const NEWEST = 3;

const controlSchema = z.discriminatedUnion("type", [
  z.strictObject({
    sluice: z.literal(1),
    type: z.literal("start"),
    workflow: z.string(),
    /** The run's id. Two start messages with the same id start one run. */
    run: z.string(),
    /** When the run was requested, ISO 8601. The run's duration is counted from here. */
    requestedAt: z.string(),
    /** The most items that the run produces. */
    limit: z.int().min(1).optional(),
    /** A schedule sent this message, so the workflow's `overlap` decides whether the run starts. */
    scheduled: z.literal(true).optional(),
    /** How often this start message was sent again, because the run waits for an earlier run. */
    hop: z.int().min(1).optional(),
  }),
  z.strictObject({
    sluice: z.literal(1),
    type: z.literal("continue"),
    workflow: z.string(),
    run: z.string(),
    /** The number of this continuation. It rises with each continuation of the run, so a late duplicate is recognised. */
    hop: z.int().min(1),
  }),
  z.strictObject({
    /** Older code does not know this type, and hides the message. */
    sluice: z.literal(3),
    type: z.literal("lane"),
    workflow: z.string(),
    run: z.string(),
    /** The number of the lane, from 0. */
    lane: z.int().min(0),
    /** The number of this continuation. It rises with each continuation of the lane. */
    hop: z.int().min(0),
  }),
  z.strictObject({
    sluice: z.literal(1),
    type: z.literal("complete"),
    workflow: z.string(),
    run: z.string(),
  }),
  z.strictObject({
    /** Older code does not know this type, and hides the message. */
    sluice: z.literal(2),
    type: z.literal("compact"),
    workflow: z.string(),
    run: z.string(),
    /** The number of the compaction of the run, from 1. */
    round: z.int().min(1),
    /** The number of the slice, from 0. */
    slice: z.int().min(0),
    /** The key of the progress of a block that the slice before has not finished. */
    progress: z.string().optional(),
  }),
]);

/** A message on the control queue. */
export type ControlMessage = Readonly<z.infer<typeof controlSchema>>;
export type StartMessage = Extract<ControlMessage, { type: "start" }>;
export type ContinueMessage = Extract<ControlMessage, { type: "continue" }>;

/** A continuation of one lane of a run with partitions. */
export type LaneMessage = Extract<ControlMessage, { type: "lane" }>;

export type CompleteMessage = Extract<ControlMessage, { type: "complete" }>;
export type CompactMessage = Extract<ControlMessage, { type: "compact" }>;

/**
 * Reads the body of a control message.
 *
 * @throws {NewerVersionError} A newer version of Sluice wrote the message. The caller must put it back unchanged.
 * @throws {MalformedMessageError} The body is not a control message.
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
 * The message that starts a run. If a person starts the run, the message is in the message group of the run, so that no
 * other message of the run is processed at the same time. The start messages of a schedule share one group, because each
 * run may have to wait for the run before it.
 */
export function startEntry(message: Omit<StartMessage, "sluice" | "type">): ControlEntry {
  return {
    body: JSON.stringify({ sluice: 1, type: "start", ...message } satisfies StartMessage),
    group: message.scheduled === true ? message.workflow : message.run,
    deduplicationId: `start-${message.run}-${message.hop ?? 0}`,
  };
}

/** The message that continues a run. All continuations of a run share one group, so one producer at a time works on it. */
export function continueEntry(message: Omit<ContinueMessage, "sluice" | "type">): ControlEntry {
  return {
    body: JSON.stringify({ sluice: 1, type: "continue", ...message } satisfies ContinueMessage),
    group: message.run,
    deduplicationId: `continue-${message.run}-${message.hop}`,
  };
}

/**
 * The message that continues a lane of a run. Each lane has a message group of its own, so one producer at a time works for
 * it, and several lanes of a run work at the same time.
 */
export function laneEntry(message: Omit<LaneMessage, "sluice" | "type">): ControlEntry {
  return {
    body: JSON.stringify({ sluice: 3, type: "lane", ...message } satisfies LaneMessage),
    group: `lane-${message.lane}-${message.run}`,
    deduplicationId: `lane-${message.lane}-${message.run}-${message.hop}`,
  };
}

/**
 * A continuation that only waits. A producer keeps it hidden until the run's source may be read again, and then sends the
 * real continuation. The waiting message has a group of its own, so that the run can still be cancelled or resumed.
 *
 * @param suffix Makes the de-duplication id differ from the id of the waiting message that this message replaces.
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

/**
 * The message that announces the end of a run: the producer that receives it calls `onComplete`. The message has a group of
 * its own, so it waits for no other message.
 */
export function completeEntry(message: Omit<CompleteMessage, "sluice" | "type">): ControlEntry {
  return {
    body: JSON.stringify({ sluice: 1, type: "complete", ...message } satisfies CompleteMessage),
    group: `complete-${message.run}`,
    deduplicationId: `complete-${message.run}`,
  };
}

/** The message for one slice of the compaction of a run's results. It has a group of its own, so nothing waits for it. */
export function compactEntry({ progress, ...message }: Omit<CompactMessage, "sluice" | "type">): ControlEntry {
  const body: CompactMessage = { sluice: 2, type: "compact", ...message, ...(progress !== undefined && { progress }) };
  return {
    body: JSON.stringify(body),
    group: `compact-${message.run}`,
    deduplicationId: `compact-${message.run}-${message.round}-${message.slice}`,
  };
}
