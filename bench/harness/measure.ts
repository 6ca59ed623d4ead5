import { type Metrics, runSide } from "./fresh-process.ts";
import type { Case, Metric, Result, Side } from "./row.ts";
import { median, spread } from "./statistics.ts";

/** What each side reported in each round. A side that cannot run on this machine has none. */
type Rounds = ReadonlyMap<string, readonly Metrics[]>;

/**
 * Measures the sides of a case in turn, round after round, each time in a fresh process. Each round begins with another
 * side, so that what changes on the machine meanwhile meets all alike.
 */
export async function measure(
  { name, sides, metrics, ...defaults }: Case,
  { rounds = defaults.rounds, say }: { readonly rounds?: number | undefined; readonly say: (line: string) => void },
): Promise<readonly Result[]> {
  const missing = new Map<string, string>();
  for (const side of sides) {
    const lacks = side.needs?.();
    if (lacks !== undefined) missing.set(side.name, lacks);
  }
  const present = sides.filter((side) => !missing.has(side.name));
  const measured = new Map<string, Metrics[]>(present.map((side) => [side.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of rotated(present, round)) {
      const started = performance.now();
      measured.get(side.name)?.push(await runSide(side));
      const seconds = ((performance.now() - started) / 1_000).toFixed(1);
      say(`${name}: ${side.name}, round ${round + 1} of ${rounds} (${seconds} s)`);
    }
  }
  return metrics.flatMap((metric) =>
    sides.flatMap((side) => {
      const note = missing.get(side.name);
      if (note !== undefined) return [unavailable(`${name} ${metric.label}`, side, metric, note)];
      const values = valuesOf(measured, side.name, metric.key);
      return values.length === 0 ? [] : [toResult(`${name} ${metric.label}`, side, metric, values, measured)];
    }),
  );
}

function rotated<Item>(items: readonly Item[], by: number): readonly Item[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function toResult(row: string, side: Side, metric: Metric, values: readonly number[], rounds: Rounds): Result {
  const ratios = values.flatMap((value, round) => {
    const baseline =
      typeof metric.baseline === "string" ? valuesOf(rounds, metric.baseline, metric.key)[round] : metric.baseline;
    return baseline === undefined ? [] : [value / baseline];
  });
  return {
    row,
    side: side.name,
    median: median(values),
    spread: spread(values),
    unit: metric.unit,
    ratio: ratios.length === 0 ? null : median(ratios),
  };
}

function unavailable(row: string, side: Side, { unit }: Metric, note: string): Result {
  return { row, side: side.name, median: null, spread: null, unit, ratio: null, note };
}

/** A side need not report every metric. */
function valuesOf(rounds: Rounds, side: string, key: string): readonly number[] {
  return (rounds.get(side) ?? []).flatMap((metrics) => metrics[key] ?? []);
}
