import type { ServiceClients } from "../../local/local-services.ts";
import type { Origin } from "../../local/state-directory.ts";
import type { ObjectStore } from "../../shared/aws/object-store.ts";
import type { RunRecord } from "../../shared/ledger/run-record.ts";

/** What a command acts on: a workflow that was run on this machine or is deployed, with its services. */
export interface Target {
  readonly workflow: string;
  /** What the user can type for the workflow. */
  readonly name: string;
  /** For people: "this machine", or "stack sluice-cities". */
  readonly where: string;
  /** The stack's name; `undefined` on this machine. */
  readonly stack: string | undefined;
  readonly services: ServiceClients;
  /** The names of the log groups of the functions. `undefined` on this machine, where the logs are files. */
  readonly logGroups?: Readonly<Record<"producer" | "consumer", string>>;
  /** Whether consumers are running: those of a deployed stack, or of an engine in another process. */
  readonly running: boolean;
  /** Opens the store of the workflow's results. Returns `undefined` if the stack has none. */
  openResults(): Promise<ObjectStore | undefined>;
  /** How the workflow was last run on this machine; `undefined` for a stack. */
  readonly local: Origin | undefined;
  /**
   * Enables delivery of messages to the consumer again, if it was disabled: by hand, or by `pause` of an earlier version.
   */
  restoreDelivery(): Promise<void>;
}

export interface RunTarget extends Target {
  readonly run: RunRecord;
}

/** The flag that a suggested command needs to act on the same target: ` --stack sluice-cities`, or nothing. */
export const stackFlag = ({ stack }: Pick<Target, "stack">): string => (stack === undefined ? "" : ` --stack ${stack}`);
