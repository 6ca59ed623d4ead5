import { count } from "../../../shared/observe/text.ts";
import type { GroupView } from "../../server/api.ts";
import { ago, visible } from "../parts/text.ts";
import type { FailuresState } from "./failures-state.ts";

/** The groups of dead letters with the same cause. Ticked groups filter the list. */
export function Groups({ state, groups }: { readonly state: FailuresState; readonly groups: readonly GroupView[] }) {
  const most = Math.max(1, ...groups.map((group) => group.count));
  return (
    <section aria-label="Causes">
      <h2>Causes</h2>
      <ul class="groups">
        {groups.map((group) => (
          <li key={group.key}>
            <label>
              <input
                type="checkbox"
                checked={state.groups.value.has(group.key)}
                onChange={({ currentTarget }) => state.tickGroup(group.key, currentTarget.checked)}
              />
              <span class="group-count">{count(group.count)}</span>
              <span class="group-text">
                <span class="error" title={visible(group.name)}>
                  {visible(group.exampleError)}
                </span>
                <span class="muted">
                  {group.reasons.join(", ")}, the last {ago(group.lastDiedAt)}, such as{" "}
                  <code>{visible(group.exampleItem)}</code>
                </span>
                <span class="meter" aria-hidden="true">
                  <span style={{ width: `${(100 * group.count) / most}%` }} />
                </span>
              </span>
            </label>
          </li>
        ))}
      </ul>
    </section>
  );
}
