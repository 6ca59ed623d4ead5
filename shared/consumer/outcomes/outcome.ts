import type { ReceivedMessage } from "../../aws/received-message.ts";
import type { Failure, Reason } from "../../base/failure.ts";
import type { Waits } from "../../base/waits.ts";
import type { ItemMessage } from "../../messages/item-message.ts";
import type { AttemptOutcome } from "../attempts/attempt.ts";
import type { PendingState } from "../attempts/receive-history.ts";

/** The failures and waits of an item since its latest redrive. */
export interface History {
  readonly failures: readonly Failure[];
  readonly waits?: Waits | undefined;
}

/** What happened to a message that this invocation has. `Recorder` records it. */
export type Outcome =
  /** An attempt was made. `state` is the item's state before it. */
  | {
      readonly tag: "attempted";
      readonly item: ItemMessage;
      readonly state: PendingState;
      readonly attempt: AttemptOutcome;
    }
  /** The item fails permanently, without another attempt. */
  | { readonly tag: "dead"; readonly item: ItemMessage; readonly reason: Reason; readonly history: History }
  /** No attempt was made. The message must be received again after a while. */
  | {
      readonly tag: "returned";
      readonly item: ItemMessage;
      readonly state: PendingState;
      readonly afterMilliseconds: number;
      /** The fleet's limit left no slot to the message. This can happen to a message very often. */
      readonly isWithoutSlot?: true;
    }
  /** The run is stopped: the item is dropped. */
  | { readonly tag: "cancelled"; readonly item: ItemMessage }
  /** The item has succeeded or died before. */
  | { readonly tag: "settled"; readonly item: ItemMessage }
  /** The message belongs to an earlier epoch of its page: the source has changed under the page since. */
  | { readonly tag: "stale"; readonly item: ItemMessage }
  /** Nothing could be found out about the item, because the ledger does not answer. */
  | { readonly tag: "not looked up"; readonly item: ItemMessage }
  /** The message is not one of this workflow, or its run is not in the ledger. */
  | { readonly tag: "foreign"; readonly message: ReceivedMessage; readonly error: Error }
  /** A newer version of Sluice wrote the message, or began its run. Or the run keeps results, and this code has no store. */
  | { readonly tag: "newer version"; readonly message: ReceivedMessage; readonly error: Error };

/** What must be done with a message whose outcome is recorded. */
export type Disposition =
  | { readonly tag: "delete" }
  /** The message must become visible in the queue again after the delay. */
  | { readonly tag: "return"; readonly afterMilliseconds: number }
  /** The outcome could not be recorded. The message becomes visible again when its visibility timeout is over. */
  | { readonly tag: "leave" };

export const DELETE: Disposition = { tag: "delete" };
export const LEAVE: Disposition = { tag: "leave" };
