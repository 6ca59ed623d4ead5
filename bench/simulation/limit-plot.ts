import { environmentsAllowed } from "./judge.ts";
import { FLEETS, MEAN_MILLISECONDS, type NamedSetting, SECONDS, settingOf } from "./settings.ts";
import { simulate } from "./simulate.ts";
import { timePlot } from "./time-plot.ts";

const bySecond = (values: readonly number[]) => Array.from({ length: SECONDS }, (_, second) => values[second] ?? 0);

/** One run over time, as an SVG: what is accepted and refused, beside the limit. */
export function limitPlot(setting: NamedSetting): string {
  const [, fleet = { environments: 10, slots: 10 }] = FLEETS;
  const slots = fleet.environments * fleet.slots;
  const { metrics, service } = simulate(settingOf(setting, fleet, "exponential"), "sluice", 1);
  const limit = Array.from({ length: SECONDS }, (_, second) =>
    service.ideal(second * 1_000, second * 1_000 + 1_000, slots),
  );
  return timePlot(
    `${setting.title.replaceAll("`", "")}: 10 environments of 10 slots`,
    "1/s",
    [
      { name: "limit", values: limit, colour: "#57606a", isDashed: true },
      { name: "accepted", values: bySecond(metrics.acceptedBySecond), colour: "#0072b2" },
      { name: "refused", values: bySecond(metrics.refusedBySecond), colour: "#d55e00" },
    ],
    1.25 * Math.max(...limit),
  );
}

/** The billed environments of the same run, beside the most that the mark allows, and the fewest that have slots enough. */
export function environmentsPlot(setting: NamedSetting): string {
  const [, fleet = { environments: 10, slots: 10 }] = FLEETS;
  const outcome = simulate(settingOf(setting, fleet, "exponential"), "sluice", 1);
  const billed = bySecond(outcome.metrics.billedBySecond);
  const flat = (value: number) => Array.from({ length: SECONDS }, () => value);
  const inFlight = outcome.service.idealInFlight(0) * (IN_FLIGHT_MILLISECONDS / MEAN_MILLISECONDS);
  return timePlot(
    `${setting.title.replaceAll("`", "")}: billed environments of 10 slots`,
    "environments",
    [
      { name: "mark", values: flat(environmentsAllowed(outcome, fleet)), colour: "#57606a", isDashed: true },
      { name: "needed: slots in flight ÷ 10", values: flat(inFlight / fleet.slots), colour: "#009e73" },
      { name: "billed", values: billed, colour: "#0072b2" },
    ],
    // The axis has four parts.
    4 * Math.ceil(Math.max(...billed) / 4),
  );
}

/** How long an attempt is in flight: the service's time, and that of the network. */
const IN_FLIGHT_MILLISECONDS = 308;
