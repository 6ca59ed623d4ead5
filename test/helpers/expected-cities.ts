import { behaviourOf, DEFAULT_SEED } from "../../workflows/cities-service/behaviour.ts";
import { loadCities } from "../../workflows/cities-service/dataset.ts";

/** How a city ends in the `cities` workflow. `error` is the name of the error of its last attempt. */
export type Outcome =
  | { readonly status: "done" }
  | { readonly status: "dead"; readonly error: "Error" | "PermanentError" | "TaskTimeoutError" };

/** How the city with this id must end, under any load. */
export function expectedOutcome(id: number, seed: number = DEFAULT_SEED): Outcome {
  const { kind } = behaviourOf(id, seed);
  switch (kind) {
    case "answers":
    case "heals":
      return { status: "done" };
    case "fails":
      return { status: "dead", error: "Error" };
    case "hangs":
      return { status: "dead", error: "TaskTimeoutError" };
    case "malformed":
    case "gone":
      return { status: "dead", error: "PermanentError" };
  }
}

export interface ExpectedCounts {
  readonly done: number;
  readonly dead: number;
  /** Dead cities, by the name of their last error. */
  readonly deadByError: Readonly<Record<"Error" | "PermanentError" | "TaskTimeoutError", number>>;
  /** Cities that succeed only after a failed attempt, even if no request is refused. So at least these are retried. */
  readonly heals: number;
}

/** The counts of a run over the first `items` cities. */
export async function expectedCounts(items: number, seed: number = DEFAULT_SEED): Promise<ExpectedCounts> {
  const deadByError = { Error: 0, PermanentError: 0, TaskTimeoutError: 0 };
  let done = 0;
  let dead = 0;
  let heals = 0;
  for (const { id } of (await loadCities()).slice(0, items)) {
    const outcome = expectedOutcome(id, seed);
    if (outcome.status === "done") {
      done += 1;
    } else {
      dead += 1;
      deadByError[outcome.error] += 1;
    }
    if (behaviourOf(id, seed).kind === "heals") heals += 1;
  }
  return { done, dead, deadByError, heals };
}
