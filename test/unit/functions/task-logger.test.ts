import { Logger } from "@aws-lambda-powertools/logger";
import { expect, test, vi } from "vitest";
import { taskLogger } from "../../../functions/task-logger.ts";

test.each(["debug", "info", "warn", "error"] as const)("%s carries what the logger is bound to", (level) => {
  const logger = new Logger();
  const log = vi.spyOn(logger, level).mockReturnValue();

  // A task may take it out of its logger.
  const { [level]: write } = taskLogger(logger, { run: "r", attempt: 2 });
  write("done", { attempt: 3, rows: 7 });
  write("done");

  expect(log.mock.calls).toEqual([
    ["done", { run: "r", attempt: 3, rows: 7 }],
    ["done", { run: "r", attempt: 2 }],
  ]);
});
