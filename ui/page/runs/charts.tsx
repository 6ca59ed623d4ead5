import { useEffect, useRef } from "preact/hooks";
import uPlot, { type AlignedData, type Options, type Series } from "uplot";
import type { Sample } from "../../../shared/observe/sample.ts";
import { count } from "../../../shared/observe/text.ts";
import { duration } from "../parts/text.ts";
import { colours } from "../state/theme.ts";

interface Line {
  readonly label: string;
  /** The name of a CSS variable. */
  readonly colour: string;
  readonly of: (sample: Sample) => number | null;
  readonly dash?: number[];
}

interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
}

const perSecond = (value: number) => `${value < 10 ? Math.round(value * 10) / 10 : count(value)}/s`;

const CHARTS: readonly Chart[] = [
  {
    title: "Items settled per second",
    format: perSecond,
    lines: [{ label: "rate", colour: "--flight", of: ({ rate }) => rate }],
  },
  {
    title: "Tasks in flight",
    format: count,
    lines: [
      { label: "in flight", colour: "--flight", of: ({ inFlight }) => inFlight },
      { label: "limit found", colour: "--warn", of: ({ slots, ceiling }) => slots ?? ceiling ?? null },
      { label: "ceiling", colour: "--muted", of: ({ ceiling }) => ceiling ?? null, dash: [6, 4] },
    ],
  },
  {
    title: "Durations of attempts",
    format: duration,
    lines: [
      { label: "p50", colour: "--done", of: ({ p50, mean }) => p50 ?? mean ?? null },
      { label: "p95", colour: "--warn", of: ({ p95 }) => p95 ?? null },
      { label: "p99", colour: "--dead", of: ({ p99 }) => p99 ?? null },
    ],
  },
  {
    title: "Throttled attempts, retries and deaths",
    format: count,
    lines: [
      { label: "throttled", colour: "--warn", of: ({ throttled }) => throttled },
      { label: "retried", colour: "--flight", of: ({ retried }) => retried },
      { label: "dead", colour: "--dead", of: ({ dead }) => dead },
    ],
  },
];

/** The charts of a run over time. */
export function Charts({ samples }: { readonly samples: readonly Sample[] }) {
  if (samples.length < 2) {
    return <p class="empty">The charts appear when the run has worked for a few seconds.</p>;
  }
  // Where durations have no quantiles, their mean is shown.
  const hasQuantiles = samples.some(({ p50 }) => p50 !== undefined);
  return (
    <div class="charts">
      {CHARTS.map((chart) => (
        <ChartView
          key={`${chart.title} ${hasQuantiles}`}
          chart={
            chart.title !== "Durations of attempts" || hasQuantiles
              ? chart
              : { ...chart, lines: [{ label: "mean", colour: "--done", of: ({ mean }) => mean ?? null }] }
          }
          samples={samples}
        />
      ))}
    </div>
  );
}

/** A canvas has no more columns than this, so more points make no chart better. */
const MOST_POINTS = 1_500;

function dataOf({ lines }: Chart, all: readonly Sample[]): AlignedData {
  const step = Math.ceil(all.length / MOST_POINTS);
  const samples = step === 1 ? all : all.filter((_, index) => index % step === 0 || index === all.length - 1);
  return [samples.map(({ at }) => at / 1_000), ...lines.map(({ of }) => samples.map(of))] as unknown as AlignedData;
}

function ChartView({ chart, samples }: { readonly chart: Chart; readonly samples: readonly Sample[] }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const theme = colours.value;
  const data = dataOf(chart, samples);
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
  const last = samples.at(-1);
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
