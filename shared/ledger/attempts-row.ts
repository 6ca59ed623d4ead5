import type { Row } from "../aws/table.ts";
import type { Failure, Reason } from "../base/failure.ts";
import type { Waits } from "../base/waits.ts";

/** What the ledger knows of the attempts of one redrive generation of an item. */
export interface AttemptsRow {
  /** The failed attempts in their order. The dead letter of a redriven item has those of earlier generations. */
  readonly failures: readonly Failure[];
  /** Why no further attempt follows. Absent while another attempt can follow. */
  readonly final: Reason | undefined;
  /** Receives that are accounted for: the ledger has a failure of the receive, or a mark. */
  readonly receives: ReadonlyMap<number, "failed" | ReceiveMark>;
  /** When the attempts of `isolated` and `alone` receives began, in milliseconds since 1970. Absent in rows of earlier versions. */
  readonly began?: ReadonlyMap<number, number>;
  /** All receives up to this one are accounted for, even if they are not in `receives`. Default: 0. */
  readonly accountedTo?: number;
  /**
   * The item was a suspect when the receives up to `accountedTo` were accounted for, and it stays a suspect. A suspect is an
   * item that may have crashed its consumer: see `docs/internals/poison.md`.
   */
  readonly suspect?: true;
  /** The waits that the task asked for. */
  readonly waits?: Waits;
  /**
   * The body of the item's dead letter. Only an item that cannot be sent has it here: no message of such an item can cause
   * its dead letter to be sent.
   */
  readonly deadLetter?: string;
}

/**
 * What happened at a receive that has no failure.
 *
 * - `returned`: the message was put back without an attempt.
 * - `isolated`: the attempt began in a process of its own, while other isolated attempts ran.
 * - `alone`: the attempt began in a process of its own, and no other attempt ran.
 *
 * If no failure follows `isolated` or `alone`, the whole environment died during the attempt. After `alone`, this item is
 * the cause.
 */
export type ReceiveMark = "returned" | "isolated" | "alone";

// Attributes of an attempts row. Failures and marks are keyed by the receive count, so a second write changes nothing.
export const failureAttribute = (generation: number, receiveCount: number): string =>
  `failure ${generation}.${receiveCount}`;
export const receiveAttribute = (generation: number, receiveCount: number): string =>
  `receive ${generation}.${receiveCount}`;
export const beganAttribute = (generation: number, receiveCount: number): string =>
  `began ${generation}.${receiveCount}`;
export const finalAttribute = (generation: number): string => `final ${generation}`;
export const waitsAttribute = (generation: number): string => `waits ${generation}`;
/** The number of waits. Each update of the waits is conditional on it, so that no wait of another consumer gets lost. */
export const waitCountAttribute = (generation: number): string => `wait count ${generation}`;
export const accountedAttribute = (generation: number): string => `accounted ${generation}`;
export const suspectAttribute = (generation: number): string => `suspect ${generation}`;
export const deadLetterAttribute = (generation: number): string => `dead letter ${generation}`;
const RECEIVE = /^(failure|receive|began) (\d+)\.(\d+)$/;

export function readAttemptsRow(row: Row | undefined, generation: number): AttemptsRow {
  const failures: { receive: number; failure: Failure }[] = [];
  const receives = new Map<number, "failed" | ReceiveMark>();
  const began = new Map<number, number>();
  for (const [attribute, value] of Object.entries(row ?? {})) {
    const match = RECEIVE.exec(attribute);
    if (match === null || Number(match[2]) !== generation) continue;
    const receive = Number(match[3]);
    if (match[1] === "began") began.set(receive, Number(value));
    else if (match[1] === "failure") {
      failures.push({ receive, failure: value as unknown as Failure });
      receives.set(receive, "failed");
    } else if (!receives.has(receive)) receives.set(receive, value as ReceiveMark);
  }
  failures.sort((a, b) => a.receive - b.receive);
  const accountedTo = row?.[accountedAttribute(generation)];
  const waits = row?.[waitsAttribute(generation)];
  const deadLetter = row?.[deadLetterAttribute(generation)];
  return {
    failures: failures.map(({ failure }) => failure),
    final: row?.[finalAttribute(generation)] as Reason | undefined,
    receives,
    ...(began.size > 0 && { began }),
    ...(typeof accountedTo === "number" && { accountedTo }),
    ...(row?.[suspectAttribute(generation)] === true && { suspect: true }),
    ...(waits !== undefined && { waits: waits as unknown as Waits }),
    ...(typeof deadLetter === "string" && { deadLetter }),
  };
}
