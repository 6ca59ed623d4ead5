import type { ControlEntry } from "../../shared/aws/queue.ts";
import type { Key, Update } from "../../shared/aws/table.ts";

/** One access of an actor to what it shares with others. Between any two of them another actor may go on, or one die. */
export type Operation =
  | { readonly type: "read"; readonly key: Key }
  | { readonly type: "update"; readonly key: Key; readonly update: Update }
  /** An item's message. */
  | { readonly type: "message"; readonly body: string }
  | ({ readonly type: "control" } & ControlEntry)
  /** What the world outside is told: a dead letter is sent, `onComplete` is called. */
  | { readonly type: "tell"; readonly fact: string }
  /** A function that has nothing but its arguments, and whose result is not looked at: an actor of its own meanwhile. */
  | { readonly type: "call"; readonly name: string; readonly program: () => Program };

/** Whether nobody else can see that it was made. */
export const isRead = ({ type }: Operation): boolean => type === "read";

/** Performs an operation when it is its turn. A read and an update get the row, or `undefined`; all others nothing. */
export type Perform = (operation: Operation) => Promise<unknown>;

/** What an actor does, from its start to its end: real code, over nothing but `perform`. */
export interface Program {
  /** What it is, whichever item it is about. */
  readonly kind: string;
  readonly run: (actor: Actor) => Promise<Ending>;
}

export interface Actor {
  readonly perform: Perform;
  /** Whether it waits for something already. */
  readonly isBusy: () => boolean;
  /** Notes what happened inside: that a task succeeded, say. */
  readonly note: (fact: string) => void;
}

/** Whether the message it was started for is to be deleted. */
export type Ending = "delete" | "again";
