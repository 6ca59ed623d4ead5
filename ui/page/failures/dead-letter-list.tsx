import { useMemo } from "preact/hooks";
import { VList } from "virtua";
import { count, plural } from "../../../shared/observe/text.ts";
import type { DeadLetterRow } from "../../server/api.ts";
import { ago, visible } from "../parts/text.ts";
import { type FailuresState, PAGE_ROWS } from "./failures-state.ts";

const ROW_HEIGHT = 64;
const MOST_SHOWN = 8;

/** The dead letters that match the filter. Only the rows in view are in the document, and only their pages are read. */
export function DeadLetterList({ state }: { readonly state: FailuresState }) {
  const matching = state.summary.value?.matching ?? 0;
  const indexes = useMemo(() => ({ length: matching }), [matching]);
  const { ticked, pages } = state;
  const rows = pages.value;
  const firstRows = rows.get(0) ?? [];
  const areTicked = firstRows.length > 0 && firstRows.every(({ id }) => ticked.value.has(id));
  return (
    <section aria-label="Dead letters">
      <h2>{plural(matching, "dead letter")}</h2>
      <div class="row">
        <label class="check">
          <input
            type="checkbox"
            checked={areTicked}
            onChange={({ currentTarget }) =>
              state.tick(
                firstRows.map(({ id }) => id),
                currentTarget.checked,
              )
            }
          />
          Tick the first {count(firstRows.length)}
        </label>
        {ticked.value.size > 0 && (
          <button type="button" class="quiet" onClick={() => (ticked.value = new Set())}>
            Untick all {count(ticked.value.size)}
          </button>
        )}
      </div>
      {matching === 0 ? (
        <p class="empty">No dead letter matches the filters.</p>
      ) : (
        <VList
          data={indexes}
          itemSize={ROW_HEIGHT}
          class="letters"
          style={{ height: `${Math.min(MOST_SHOWN, matching) * ROW_HEIGHT + 2}px` }}
        >
          {(_: unknown, index: number) => {
            const row = rows.get(Math.floor(index / PAGE_ROWS))?.[index % PAGE_ROWS];
            if (row === undefined) state.need(index);
            return <Row key={index} row={row} state={state} />;
          }}
        </VList>
      )}
    </section>
  );
}

function Row({ row, state }: { readonly row: DeadLetterRow | undefined; readonly state: FailuresState }) {
  if (row === undefined) return <div class="letter muted">Reading…</div>;
  const { id, error, item, reason, diedAt, attempts } = row;
  const isOpen = state.open.value === id;
  const name = `${reason}, item ${item}`;
  return (
    <div class={`letter ${isOpen ? "open" : ""}`}>
      <input
        type="checkbox"
        aria-label={`Tick ${visible(name)}`}
        checked={state.ticked.value.has(id)}
        onChange={({ currentTarget }) => state.tick([id], currentTarget.checked)}
      />
      <button
        type="button"
        class="letter-text"
        aria-expanded={isOpen}
        onClick={() => (state.open.value = isOpen ? undefined : id)}
      >
        <span class="line">
          <span class="error">{visible(error)}</span>
          {state.edited.value.has(id) && <span class="badge">edited</span>}
        </span>
        <span class="line muted">
          <code>{visible(item)}</code>
          <span>
            {reason}, {plural(attempts, "attempt")}, {ago(diedAt)}
          </span>
        </span>
      </button>
    </div>
  );
}
