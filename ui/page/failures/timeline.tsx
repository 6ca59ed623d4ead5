import type { Failure } from "../../../shared/base/failure.ts";
import { duration, visible } from "../parts/text.ts";

/** How much of a stack is shown. */
const LONGEST_STACK = 20_000;

/** The attempts of an item in the order of time: when each began, how long it took, and how it failed. */
export function Timeline({ failures }: { readonly failures: readonly Failure[] }) {
  if (failures.length === 0) return <p class="muted">No attempt was recorded.</p>;
  const times = failures.map(({ at }) => Date.parse(at));
  const begin = Math.min(...times);
  const ends = failures.map(({ durationMilliseconds }, index) => (times[index] ?? begin) + durationMilliseconds);
  const whole = Math.max(1, Math.max(...ends) - begin);
  return (
    <ol class="timeline">
      {failures.map((failure, index) => {
        const { attempt, at, durationMilliseconds, kind, name, message, stack } = failure;
        const isSame = index > 0 && failures[index - 1]?.message === message;
        const left = ((times[index] ?? begin) - begin) / whole;
        return (
          <li key={`${attempt} ${at}`}>
            <div class="track" aria-hidden="true">
              <span style={{ left: `${left * 98}%`, width: `${Math.max(2, (98 * durationMilliseconds) / whole)}%` }} />
            </div>
            <div>
              <b>Attempt {attempt}</b> {visible(kind)} after {duration(durationMilliseconds)}{" "}
              <span class="muted">{new Date(at).toLocaleTimeString("en-GB")}</span>
            </div>
            <div class="error whole">{isSame ? "the same error" : visible(`${name}: ${message}`.slice(0, 2_000))}</div>
            {stack !== undefined && (
              <details>
                <summary>Stack</summary>
                <pre class="json">{visible(stack.slice(0, LONGEST_STACK))}</pre>
              </details>
            )}
          </li>
        );
      })}
    </ol>
  );
}
