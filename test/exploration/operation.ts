import type { ControlEntry } from "../../shared/aws/queue.ts";
import type { Key, Update } from "../../shared/aws/table.ts";

/** One access of an actor to what it shares with others. Between any two operations another actor may go on, or an actor may die. */
export type Operation =
  | { readonly type: "read"; readonly key: Key }
  | { readonly type: "update"; readonly key: Key; readonly update: Update }
  /** An item's message. */
  | { readonly type: "message"; readonly body: string }
  | ({ readonly type: "control" } & ControlEntry)
  /** What the outside world is told: a dead letter is sent, `onComplete` is called. */
  | { readonly type: "tell"; readonly fact: string }
  /** A call of a function that depends on its arguments alone and whose result is ignored. It runs as an actor of its own. */
  | { readonly type: "call"; readonly name: string; readonly program: () => Program };

/** Whether the operation changes nothing that another actor can see. */
export const isRead = ({ type }: Operation): boolean => type === "read";

/** Performs an operation when it is its turn. A read and an update return the row or `undefined`; all others return nothing. */
export type Perform = (operation: Operation) => Promise<unknown>;

/** What an actor does from its start to its end: the product's code, whose every access goes through `perform`. */
export interface Program {
  /** The kind of actor, without the item that it works on. */
  readonly kind: string;
  readonly run: (actor: Actor) => Promise<Ending>;
}

export interface Actor {
  readonly perform: Perform;
  /** Whether it waits for an operation already. */
  readonly isBusy: () => boolean;
  /** Notes what happened inside the actor, for example that a task succeeded. */
  readonly note: (fact: string) => void;
}

/** What happens to the message that the actor was started for: it is deleted, or it comes again. */
export type Ending = "delete" | "again";
