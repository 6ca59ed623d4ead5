/**
 * How many inputs a property test tries: `usual`, or as many as `SLUICE_SEEDS` says. `docs/internals/reliability.md` has the
 * results with 10,000.
 */
export const seeds = (usual: number): number => Number(process.env.SLUICE_SEEDS ?? usual);
