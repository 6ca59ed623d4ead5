import { count } from "../../../shared/observe/text.ts";
import { telling } from "../parts/message.ts";
import { visible } from "../parts/text.ts";
import { post } from "../state/json-requests.ts";
import { work } from "../state/server-connection.ts";

const VERBS = { load: "Loading", "dry run": "Dry run", redrive: "Redrive", purge: "Purge" } as const;

/** How far the work on dead letters has come, or how it ended. */
export function WorkProgress({ workflow }: { readonly workflow: string }) {
  const now = work.value;
  if (now === undefined || now.workflow !== workflow) return null;
  const { kind, state, phase, done, total, message, refusals } = now;
  const isRunning = state === "running";
  // What was loaded is said where it can be loaded again.
  if (kind === "load" && state === "done") return null;
  const stop = () =>
    telling(async () => {
      await post("/api/work/stop");
      return undefined;
    });
  return (
    <section class={`panel work ${state === "failed" ? "bad" : ""}`} aria-label={`${VERBS[kind]} of dead letters`}>
      <div role="status" aria-live="polite">
        {isRunning ? (
          <>
            <p>
              <b>{VERBS[kind]}</b>: {visible(phase)}, {count(done)}
              {total > 0 && ` of ${count(total)}`}
            </p>
            <progress max={Math.max(1, total)} value={done} aria-label={VERBS[kind]} />
          </>
        ) : (
          <p>
            <b>{VERBS[kind]}</b>: {visible(message)}
          </p>
        )}
      </div>
      {isRunning && (
        <button type="button" onClick={stop}>
          Stop
        </button>
      )}
      {refusals.length > 0 && (
        <details>
          <summary>Why dead letters stay</summary>
          <ul class="plain">
            {refusals.map(({ id, message: why }) => (
              <li key={id}>
                <span class="mono">{id.slice(0, 8)}</span> {visible(why)}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
