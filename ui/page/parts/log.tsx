import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { count } from "../../../shared/observe/text.ts";
import type { LogView } from "../../server/api.ts";
import { logCommand } from "../runs/run-commands.ts";
import { get } from "../state/json-requests.ts";
import { CommandButton } from "./command.tsx";
import { visible } from "./text.ts";

/** The log of a run or of an item, which is read when the user asks for it. */
export function Log(props: { readonly run: string; readonly item?: string | undefined; readonly flags: string }) {
  const { run, item, flags } = props;
  const view = useSignal<LogView | { readonly problem: string } | "reading" | undefined>(undefined);
  const onlyErrors = useSignal(false);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const command = logCommand({ run, item, onlyErrors: onlyErrors.value }, flags);
  const read = async () => {
    view.value = "reading";
    const query = { run, ...(item !== undefined && { item }), errors: String(onlyErrors.value) };
    view.value = await get<LogView>("/api/logs", query, stop.current.signal).catch((error: Error) => ({
      problem: error.message,
    }));
  };
  const shown = view.value;
  return (
    <div class="log-part">
      <div class="row">
        <CommandButton
          label={shown === "reading" ? "Reading…" : shown === undefined ? "Show the log" : "Read the log again"}
          command={command}
          onClick={() => void read()}
          disabled={shown === "reading"}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={onlyErrors.value}
            onChange={({ currentTarget }) => (onlyErrors.value = currentTarget.checked)}
          />
          Only errors
        </label>
      </div>
      <div role="status">
        {typeof shown === "object" && "problem" in shown && <p class="note bad">{visible(shown.problem)}</p>}
        {typeof shown === "object" && "lines" in shown && shown.lines.length === 0 && (
          <p class="empty">No line matches.</p>
        )}
        {typeof shown === "object" && "lines" in shown && shown.omitted > 0 && (
          <p class="muted">The last {count(shown.lines.length)} lines. The command prints all of them.</p>
        )}
      </div>
      {typeof shown === "object" && "lines" in shown && shown.lines.length > 0 && (
        // A region that scrolls must be reachable with the keyboard.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
        <section class="log mono" aria-label="Lines of the log" tabIndex={0}>
          {shown.lines.map(({ at, function: name, level, item: of, attempt, message, fields }, index) => (
            <div key={`${index} ${at}`} class={`log-line ${level}`}>
              <span class="muted">{at === null ? "–" : new Date(at).toLocaleTimeString("en-GB")}</span> <b>{level}</b>{" "}
              <span class="muted">
                {of === null ? name : of.replace(/^[^/]*\//, "")}
                {attempt !== null && attempt > 1 && ` (attempt ${attempt})`}
              </span>{" "}
              {visible(message)} {fields !== "" && <span class="muted">{visible(fields)}</span>}
            </div>
          ))}
        </section>
      )}
    </div>
  );
}
