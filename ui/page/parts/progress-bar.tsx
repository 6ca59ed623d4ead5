import { count } from "../../../shared/observe/text.ts";

/** A part of the bar. */
interface Part {
  readonly name: string;
  readonly value: number;
  readonly tone: string;
}

export interface BarCounts {
  readonly succeeded: number;
  readonly dead: number;
  readonly cancelled: number;
  readonly pending: number;
  readonly inFlight: number;
  /** Items that the source has not yielded yet, if their number is known. */
  readonly unread: number;
}

/** The items of a run as a bar: done, dead, cancelled, in flight, pending. */
export function ProgressBar({ counts, legend = true }: { readonly counts: BarCounts; readonly legend?: boolean }) {
  const { succeeded, dead, cancelled, pending, unread } = counts;
  const inFlight = Math.min(counts.inFlight, pending);
  const parts: readonly Part[] = [
    { name: "done", value: succeeded, tone: "done" },
    { name: "dead", value: dead, tone: "dead" },
    { name: "cancelled", value: cancelled, tone: "cancelled" },
    { name: "in flight", value: inFlight, tone: "flight" },
    { name: "pending", value: pending - inFlight, tone: "pending" },
    { name: "not read yet", value: unread, tone: "unread" },
  ];
  const all = parts.reduce((sum, { value }) => sum + value, 0);
  const shown = parts.filter(({ value, name }) => value > 0 || (legend && (name === "done" || name === "dead")));
  const label = shown.map(({ name, value }) => `${count(value)} ${name}`).join(", ");
  return (
    <div>
      <div class="bar" role="img" aria-label={label}>
        {parts.map(({ name, value, tone }) =>
          value > 0 ? <span key={name} class={`part ${tone}`} style={{ flexGrow: value / Math.max(1, all) }} /> : null,
        )}
      </div>
      {legend && (
        <ul class="legend">
          {shown.map(({ name, value, tone }) => (
            <li key={name}>
              <span class={`dot ${tone}`} /> <b>{count(value)}</b> {name}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
