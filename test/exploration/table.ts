import type { Exploration } from "./explore.ts";

/** The results of explorations as a Markdown table. */
export function tableOf(explorations: readonly Exploration[]): string {
  const number = (value: number) => value.toLocaleString("en-US");
  const rows = explorations.map(({ scope, states, steps, ends, depth, violation }) => [
    scope.name,
    number(states),
    number(steps),
    number(ends),
    number(depth),
    violation === undefined ? "none" : "**one**",
  ]);
  const sum = (value: (exploration: Exploration) => number) =>
    number(explorations.reduce((total, exploration) => total + value(exploration), 0));
  rows.push(["**all**", sum(({ states }) => states), sum(({ steps }) => steps), sum(({ ends }) => ends), "", ""]);
  return [
    "| scope | states | steps | ends checked | longest path | violations |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");
}
