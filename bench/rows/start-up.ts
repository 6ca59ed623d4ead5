import { SLUICE } from "../harness/names.ts";
import type { Row } from "../harness/row.ts";

const COMMANDER = "Node and commander";
const HELP = "sluice --help";
const VERSION = "sluice --version";
const CPU = "start-up CPU";

/** How long a user waits for the first line and for the first task. */
export const startUp: Row = {
  name: "start-up",
  cases(scale) {
    const quick = scale === "quick";
    const side = (name: string, command: string, times: number) => ({
      name,
      program: "start-up.ts",
      input: { command, times },
    });
    return [
      {
        name: "start-up",
        rounds: quick ? 1 : 5,
        sides: [
          side(HELP, "help", quick ? 2 : 20),
          side(VERSION, "version", quick ? 2 : 20),
          side(COMMANDER, "commander", quick ? 2 : 20),
        ],
        metrics: [{ key: "cpuMilliseconds", label: "CPU", unit: "ms", baseline: COMMANDER }],
      },
      {
        name: "start-up npm start",
        rounds: quick ? 1 : 3,
        sides: [side(SLUICE, "npm start", quick ? 1 : 5)],
        metrics: [
          { key: "firstLine", label: "first line", unit: "ms" },
          { key: "firstTask", label: "first task", unit: "ms" },
          { key: "silence", label: "longest silence", unit: "ms" },
          { key: "firstSilence", label: "longest silence of the first start", unit: "ms" },
        ],
      },
    ];
  },
  marks: [
    {
      label: "`start-up`: CPU of `--help`, to Node's and commander's",
      atMost: 1.5,
      measured: (results) => results.ratio(CPU, HELP),
    },
    {
      label: "`start-up`: CPU of `--version`, to Node's and commander's",
      atMost: 1.5,
      measured: (results) => results.ratio(CPU, VERSION),
    },
    {
      label: "`start-up`: second `npm start`, first line",
      unit: "ms",
      atMost: 500,
      measured: (results) => results.median("start-up npm start first line", SLUICE),
    },
    {
      label: "`start-up`: second `npm start`, first task",
      unit: "ms",
      atMost: 1_500,
      measured: (results) => results.median("start-up npm start first task", SLUICE),
    },
  ],
  plots: [],
};
