import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot, { type AlignedData, type Options, type Series } from "uplot";
import type { Sample } from "../../../shared/observe/sample.ts";
import { count } from "../../../shared/observe/text.ts";
import type { DurationPoint, DurationsView, ListedRun } from "../../server/api.ts";
import { duration, visible } from "../parts/text.ts";
import { get } from "../state/json-requests.ts";
import { colours } from "../state/theme.ts";
import { isActive } from "./run-counts.ts";

/** A moment of a chart: a sample, or the durations that CloudWatch has recorded. */
type Point = Partial<Omit<Sample, keyof DurationPoint>> & { readonly at: number } & Partial<
    Readonly<Record<"p50" | "p95" | "p99", number | null | undefined>>
  >;

interface Line {
  readonly label: string;
  /** The name of a CSS variable. */
  readonly colour: string;
  readonly of: (sample: Point) => number | null;
  readonly dash?: number[];
}

interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
}

const perSecond = (value: number) => `${value < 10 ? Math.round(value * 10) / 10 : count(value)}/s`;

const DURATIONS = "Durations of attempts";

const CHARTS: readonly Chart[] = [
  {
    title: "Items settled per second",
    format: perSecond,
    lines: [{ label: "rate", colour: "--flight", of: ({ rate }) => rate ?? null }],
  },
  {
    title: "Tasks in flight",
    format: count,
    lines: [
      { label: "in flight", colour: "--flight", of: ({ inFlight }) => inFlight ?? null },
      { label: "limit found", colour: "--warn", of: ({ slots, ceiling }) => slots ?? ceiling ?? null },
      { label: "ceiling", colour: "--muted", of: ({ ceiling }) => ceiling ?? null, dash: [6, 4] },
    ],
  },
  {
    title: DURATIONS,
    format: duration,
    lines: [
      { label: "p50", colour: "--done", of: ({ p50 }) => p50 ?? null },
      { label: "p95", colour: "--warn", of: ({ p95 }) => p95 ?? null },
      { label: "p99", colour: "--dead", of: ({ p99 }) => p99 ?? null },
    ],
  },
  {
    title: "Throttled attempts, retries and deaths",
    format: count,
    lines: [
      { label: "throttled", colour: "--warn", of: ({ throttled }) => throttled ?? null },
      { label: "retried", colour: "--flight", of: ({ retried }) => retried ?? null },
      { label: "dead", colour: "--dead", of: ({ dead }) => dead ?? null },
    ],
  },
];

interface ChartsProps {
  readonly run: ListedRun;
  readonly samples: readonly Sample[];
  readonly isStack: boolean;
}

/** The charts of a run over time. */
export function Charts({ run, samples, isStack }: ChartsProps) {
  const recorded = useRecordedDurations(run, isStack);
  const hasRecorded = recorded !== undefined && recorded.points.length > 0;
  if (samples.length < 2 && !hasRecorded) {
    return (
      <>
        <p class="empty">
          {!isStack && !isActive(run)
            ? "This run has no history: it ended too soon, or was run by an earlier version."
            : isActive(run)
              ? "The charts appear when the run has worked for a few seconds."
              : "The dashboard was not open while this run worked, so it has no charts of the run."}
        </p>
        {isStack && <AboutDurations recorded={recorded} />}
      </>
    );
  }
  const shown = samples.length < 2 ? CHARTS.filter(({ title }) => title === DURATIONS) : CHARTS;
  return (
    <>
      <div class="charts">
        {shown.map((chart) => {
          if (chart.title !== DURATIONS || !isStack) {
            return <ChartView key={chart.title} chart={chart} points={samples} />;
          }
          if (hasRecorded) return <ChartView key="recorded" chart={chart} points={recorded.points} />;
          const mean: Line = { label: "mean", colour: "--done", of: ({ mean }) => mean ?? null };
          return <ChartView key="mean" chart={{ ...chart, lines: [mean] }} points={samples} />;
        })}
      </div>
      {isStack && <AboutDurations recorded={recorded} />}
    </>
  );
}

/** Says what the chart of the durations of a stack shows. */
function AboutDurations({ recorded }: { readonly recorded: DurationsView | undefined }) {
  if (recorded === undefined) return <p class="muted">The durations are being read from CloudWatch.</p>;
  const { problem, points, periodSeconds } = recorded;
  if (problem !== null) {
    return (
      <p class="muted">
        The chart of the durations shows the mean of the attempts that succeeded. The quantiles are in CloudWatch, and
        need the right cloudwatch:GetMetricData. {visible(problem)}
      </p>
    );
  }
  return (
    <p class="muted">
      {points.length === 0
        ? "CloudWatch has no durations of this run yet: they appear about two minutes late. Until then, the chart shows the mean. "
        : `The durations are those that CloudWatch has recorded for each ${
            periodSeconds === 60 ? "minute" : `${periodSeconds / 60} minutes`
          }, about two minutes late. `}
      They are of all runs of the workflow.
    </p>
  );
}

const DURATIONS_MILLISECONDS = 60_000;

/** Reads what CloudWatch has recorded of the durations: each minute while a run of a stack works, and once for others. */
function useRecordedDurations({ workflow, run, status }: ListedRun, isStack: boolean): DurationsView | undefined {
  const view = useSignal<DurationsView | undefined>(undefined);
  const isChanging = status === "running" || status === "cancelling";
  useEffect(() => {
    if (!isStack) return;
    let isOver = false;
    const read = async () => {
      const answer = await get<DurationsView>("/api/durations", { workflow, run }).catch(() => undefined);
      if (!isOver && answer !== undefined) view.value = answer;
    };
    void read();
    const timer = isChanging ? setInterval(() => void read(), DURATIONS_MILLISECONDS) : undefined;
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [workflow, run, isChanging, isStack, view]);
  return view.value;
}

/** A canvas has no more columns than this, so more points make no chart better. */
const MOST_POINTS = 1_500;

function dataOf({ lines }: Chart, all: readonly Point[]): AlignedData {
  const step = Math.ceil(all.length / MOST_POINTS);
  const samples = step === 1 ? all : all.filter((_, index) => index % step === 0 || index === all.length - 1);
  return [samples.map(({ at }) => at / 1_000), ...lines.map(({ of }) => samples.map(of))] as unknown as AlignedData;
}

function ChartView({ chart, points }: { readonly chart: Chart; readonly points: readonly Point[] }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const theme = colours.value;
  const data = dataOf(chart, points);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(optionsOf(chart, element.clientWidth), latest.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [chart.lines.length, theme]);
  useEffect(() => plot.current?.setData(data), [data]);
  const last = points.at(-1);
  return (
    <figure>
      <figcaption>
        {chart.title}
        <span class="legend">
          {chart.lines.map(({ label, colour, of }) => {
            const value = last === undefined ? null : of(last);
            return (
              <span key={label}>
                <span class="dot" style={{ background: `var(${colour})` }} /> {label}{" "}
                <b>{value === null ? "–" : chart.format(value)}</b>
              </span>
            );
          })}
        </span>
      </figcaption>
      <div ref={place} class="chart" aria-hidden="true" />
    </figure>
  );
}

const HEIGHT = 170;

/** A colour of the theme as the canvas needs it: without variables. */
function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function optionsOf({ lines, format }: Chart, width: number): Options {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.08)] } },
    axes: [
      {
        ...axis,
        size: 28,
        space: 70,
        values: (_, splits) => splits.map((split) => new Date(split * 1_000).toLocaleTimeString("en-GB")),
      },
      {
        ...axis,
        size: 62,
        values: (_, splits) => splits.map((split) => (Number.isInteger(split) || split < 10 ? format(split) : "")),
      },
    ],
    series: [
      {},
      ...lines.map(
        ({ label, colour: name, dash }): Series => ({
          label,
          stroke: colour(name),
          width: 2,
          spanGaps: true,
          points: { show: false },
          ...(dash && { dash, width: 1 }),
        }),
      ),
    ],
  };
}
