/** A program that is measured: it runs in a fresh process, and reports its metrics. */
export interface Side {
  readonly name: string;
  /** In `bench/sides/`. */
  readonly program: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** What this machine lacks for it. */
  readonly needs?: () => string | undefined;
}

/** One of the numbers that a side reports. */
export interface Metric {
  /** Its key in what a side reports. */
  readonly key: string;
  /** Its name in the tables, and the end of the row's name. */
  readonly label: string;
  readonly unit: string;
  /** What ratios are of: a side, or a number. Without it the metric has none. */
  readonly baseline?: string | number;
}

/** Sides that do the same, and are measured in turn. */
export interface Case {
  readonly name: string;
  readonly sides: readonly Side[];
  readonly metrics: readonly Metric[];
  /** Rounds unless the command line says otherwise. */
  readonly rounds: number;
}

/** What one side's metric came to: one object of `--json`. */
export interface Result {
  readonly row: string;
  readonly side: string;
  /** `null` where the side could not run: `note` says why. */
  readonly median: number | null;
  /** Between the least and the greatest of the rounds. */
  readonly spread: number | null;
  readonly unit: string;
  /** The median of the rounds' ratios to the row's baseline, measured in the same round. */
  readonly ratio: number | null;
  readonly note?: string;
}

/** A number that a row has to reach. */
export interface Mark {
  readonly label: string;
  readonly unit?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly below?: (results: Results) => number | undefined;
  readonly measured: (results: Results) => number | undefined;
}

export interface Results {
  median(row: string, side: string): number | undefined;
  ratio(row: string, side: string): number | undefined;
}

/** A bar chart of a row's results. */
export interface Plot {
  /** The file's name, in `docs/internals/`. */
  readonly file: string;
  readonly title: string;
  /** A chart each: the results' rows of one metric, one group of bars a row. */
  readonly panels: readonly {
    readonly title: string;
    readonly unit: string;
    readonly groups: readonly { readonly label: string; readonly row: string }[];
    readonly from?: number;
    /** A line across, such as the ideal. */
    readonly line?: { readonly at: number; readonly label: string };
  }[];
}

/** What `--only` selects. */
export interface Row {
  readonly name: string;
  cases(scale: Scale): readonly Case[];
  readonly marks: readonly Mark[];
  readonly plots: readonly Plot[];
  /** Metrics that stand below each other in the page's table, where it has many and each result needs no line. */
  readonly pivot?: readonly string[];
}

/** `quick` is for looking whether it all works: too short for numbers. */
export type Scale = "full" | "quick";
