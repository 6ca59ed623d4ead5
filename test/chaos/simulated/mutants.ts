import type { Mutant } from "../../exploration/mutants.ts";

/** The environment variable with the name of the mutant that `preload-mutant.ts` makes. */
export const MUTANT = "SLUICE_TEST_MUTANT";

/** A mistake in the product, and a seed that shows it. */
export interface SimulatedMutant extends Pick<Mutant, "name" | "mistake" | "change" | "shows"> {
  readonly seed: number;
  /** Whether the run has a limit of its rate. Default: no. */
  readonly isLimited?: boolean;
}

/** Mistakes that simulated chaos must find. So a simulation without violations says something. */
export const SIMULATED_MUTANTS: readonly SimulatedMutant[] = [
  {
    name: "record-before-delete",
    mistake: "a consumer deletes the message of a success before the success is recorded",
    change: (marked) => marked.replace(/^await (.*);$/s, "$1.catch(() => {});"),
    seed: 5,
    shows: /is in none of done, dead and cancelled/,
  },
  {
    name: "space-starts",
    mistake: "an environment starts all that its tokens allow at once",
    change: () => "return now;",
    // The seed has shown the mistake with three versions of the search for a limit, with twice as many tasks as may begin.
    seed: 12,
    isLimited: true,
    shows: /tasks began in .* a second and a burst of/,
  },
];
