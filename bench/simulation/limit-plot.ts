import { FLEETS, type NamedSetting, SECONDS, settingOf } from "./settings.ts";
import { simulate } from "./simulate.ts";
import { timePlot } from "./time-plot.ts";

/** One run over time, as an SVG: what is accepted and refused, beside the limit. */
export function limitPlot(setting: NamedSetting): string {
  const [, fleet = { environments: 10, slots: 10 }] = FLEETS;
  const slots = fleet.environments * fleet.slots;
  const { metrics, service } = simulate(settingOf(setting, fleet, "exponential"), "sluice", 1);
  const bySecond = (values: readonly number[]) => Array.from({ length: SECONDS }, (_, second) => values[second] ?? 0);
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
