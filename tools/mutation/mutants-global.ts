/** The variable through which instrumented code is told which mutant is active, and tells what it ran. */
export interface MutantsGlobal {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> };
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
}

const holder = globalThis as { __stryker__?: MutantsGlobal };
holder.__stryker__ ??= {};

export const mutantsGlobal: MutantsGlobal = holder.__stryker__;
