import { relative } from "node:path";
import type { RunnerTask as Task } from "vitest";

/** The file and the full name of a test. Tests of one name in one file are told apart by their order. */
export function testName(test: Task): string {
  const names: string[] = [];
  for (let task: Task | undefined = test; task !== undefined && task !== test.file; task = task.suite)
    names.unshift(task.name);
  return `${relative(process.cwd(), test.file.filepath)} > ${names.join(" > ")} #${test.id}`;
}
