/**
 * What an item does: `good` ones succeed, `bad` ones ask never to be tried again, `flaky` ones fail at their first attempt,
 * `fickle` ones succeed when they are delivered first, and later fail permanently; `patient` ones ask for a wait once;
 * `late` ones ask for a longer wait than is allowed; `unsendable` ones are no JSON.
 */
export type Kind = "good" | "bad" | "flaky" | "fickle" | "patient" | "late" | "unsendable";

/** What is explored: within it, every order of every step. */
export interface Scope {
  readonly name: string;
  /** The source's pages, by their items. */
  readonly pages: readonly (readonly Kind[])[];
  readonly consumers: number;
  readonly producers: number;
  /**
   * Items' messages may be delivered any number of times, one after another or at once, and their consumers may die any
   * number of times. Control messages may so many times, on one path, be delivered once too often, or their producer, or the
   * person, die.
   */
  readonly spares: number;
  /** Whether the run's end is followed up to `onComplete`; if not, up to its announcement. */
  readonly completion: boolean;
  /** Whether a person may cancel the run, at any moment. */
  readonly cancel: boolean;
}

export const RUN = "run";
export const WORKFLOW = "explored";
