import { appendFileSync, readFileSync } from "node:fs";

/** Time is counted in timers that fire. While a busy machine does not let the process work, none fires. */
export const TICK_MILLISECONDS = 25;

/** What the processes of one area share, in a JSON file. */
export interface Plan {
  readonly tests: readonly string[];
  /** The instrumented code, by absolute path. */
  readonly code: Readonly<Record<string, string>>;
  readonly journal: string;
  /** How often each test runs the code of each mutant. Absent in the first run, which finds this out. */
  readonly hits?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** How long each test took without a mutant. */
  readonly ticks?: Readonly<Record<string, number>>;
  /** The test files, those with short tests first: they kill most mutants. */
  readonly order: readonly string[];
  /** Mutants that need no more tests. */
  readonly settled: readonly string[];
  /** Pairs of a test and a mutant that need not run again, as `pairOf` returns them. */
  readonly done: readonly string[];
}

/** One line of the journal. */
export type Entry =
  /** Without a mutant, the test ran the code of these mutants. */
  | {
      readonly tag: "hits";
      readonly test: string;
      /** The time that it took, as the number of timers of `TICK_MILLISECONDS` that could fire in it. */
      readonly ticks: number;
      /** Milliseconds of CPU time, or of waiting if that is more. */
      readonly cost: number;
      readonly hits: Readonly<Record<string, number>>;
    }
  /** The code of these mutants ran outside of tests: while modules were loaded, for example. */
  | { readonly tag: "outside"; readonly mutants: readonly string[] }
  | { readonly tag: "failed without a mutant"; readonly test: string; readonly error: string }
  /** Written before a test runs with a mutant. If nothing follows, the test hangs. */
  | { readonly tag: "begin"; readonly test: string; readonly mutant: string }
  | { readonly tag: "survived"; readonly test: string; readonly mutant: string }
  | { readonly tag: "killed"; readonly test: string; readonly mutant: string }
  /** The test failed with the mutant, and afterwards also without it. So this process cannot judge this test any more. */
  | { readonly tag: "polluted"; readonly test: string; readonly mutant: string }
  /** After a mutant had left something behind, the test failed without a mutant. */
  | { readonly tag: "unfit"; readonly test: string };

export const pairOf = (test: string, mutant: string): string => `${mutant} ${test}`;

/** The plan of this process. `main.ts` sets the variable. */
export const readPlan = (): Plan => JSON.parse(readFileSync(String(process.env.MUTATION_PLAN), "utf8"));

/** Appends at once, because the process may hang or be killed at any time. */
export const note = (journal: string, entry: Entry): void => appendFileSync(journal, `${JSON.stringify(entry)}\n`);
