import type { RunResult } from "./run.ts";

/** The results of many runs as a Markdown table. */
export function tableOf(results: readonly RunResult[]): string {
  const sum = (value: (result: RunResult) => number) => results.reduce((total, result) => total + value(result), 0);
  const ended = (status: string) => results.filter((result) => result.status === status).length;
  const kinds = [...new Set(results.flatMap(({ struck }) => Object.keys(struck)))].sort();
  const rows: [string, number][] = [
    ["runs", results.length],
    ["… completed", ended("completed")],
    ["… cancelled", ended("cancelled")],
    ["… failed, as more items died than were tolerated", ended("failed")],
    ["items", sum(({ items }) => items)],
    ["attempts", sum(({ attempts }) => attempts)],
    ...kinds.map((kind): [string, number] => [`fault: ${kind}`, sum(({ struck }) => struck[kind] ?? 0)]),
    ["**violations**", sum(({ violations }) => violations.length)],
  ];
  const lines = rows.map(([name, value]) => `| ${name} | ${value.toLocaleString("en-US")} |`);
  return ["| what | how many |", "| --- | ---: |", ...lines].join("\n");
}
