import type { ServiceClients } from "../../local/local-services.ts";
import type { Origin } from "../../local/state-directory.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";

/** A workflow that was run on this machine or is deployed, and its services. */
export interface Target {
  readonly workflow: string;
  /** What the user may type for it. */
  readonly name: string;
  /** For people: "this machine", or the stack. */
  readonly where: string;
  /** The stack's name; `undefined` on this machine. */
  readonly stack: string | undefined;
  readonly services: ServiceClients;
  /** Whether something works on its queue: a deployed stack, or an engine in another process. */
  readonly running: boolean;
  /** How it was run last on this machine; `undefined` in a stack. */
  readonly local: Origin | undefined;
  /** Begins to deliver messages to the consumer again, if that was stopped: by hand, or by `pause` of an earlier version. */
  restoreDelivery(): Promise<void>;
}

export interface RunTarget extends Target {
  readonly run: RunRecord;
}

/** What a command that means the same target needs: for the commands that messages propose. */
export const stackFlag = ({ stack }: Pick<Target, "stack">): string => (stack === undefined ? "" : ` --stack ${stack}`);
