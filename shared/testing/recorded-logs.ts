import type { TaskLogger } from "../base/task.ts";

/** A line that a task logged. */
export interface LoggedLine {
  readonly level: keyof TaskLogger;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A logger that adds each line to a list, with the given fields. It prints nothing. */
export function recordingLogger(lines: LoggedLine[], bound: Readonly<Record<string, unknown>>): TaskLogger {
  const at =
    (level: keyof TaskLogger): TaskLogger["info"] =>
    (message, fields) =>
      void lines.push({ level, message, fields: { ...bound, ...fields } });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
