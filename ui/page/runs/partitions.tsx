import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { PartitionPhase, PartitionStates } from "../../../shared/ledger/partition-states.ts";
import { count, plural } from "../../../shared/observe/text.ts";
import type { ListedRun, PartitionFilter } from "../../server/api.ts";
import { visible } from "../parts/text.ts";
import { get } from "../state/json-requests.ts";
import { isActive } from "./run-counts.ts";

/** The server returns at most so many partitions at once. */
const PAGE = 100;
/** How often the partitions are read while the run reads its source. A stack has one request a second for all. */
const READ_MILLISECONDS = { here: 3_000, stack: 15_000 } as const;

const PHASES: Readonly<Record<PartitionPhase, readonly [text: string, tone: string]>> = {
  waiting: ["not read yet", "pending"],
  reading: ["being read", "flight"],
  failed: ["failed", "dead"],
  read: ["read to its end", "flight"],
  settled: ["all items settled", "done"],
  "left out": ["left out", "cancelled"],
};

/** How far the source was read: as a whole, or each of its partitions. */
export function SourceProgress({ run, isStack }: { readonly run: ListedRun; readonly isStack: boolean }) {
  return (
    <section aria-label="Source">
      <h2>Source</h2>
      {run.partitions === null ? <WholeSource run={run} /> : <Partitions run={run} isStack={isStack} />}
    </section>
  );
}

function WholeSource({ run }: { readonly run: ListedRun }) {
  const total = run.sourceEnded ? undefined : (run.limit ?? undefined);
  return (
    <p>
      <b>{run.sourceEnded ? "Read to its end" : isActive(run) ? "Being read" : "Not read to its end"}</b>:{" "}
      {plural(run.produced, "item")}
      {total !== undefined && ` of at most ${count(total)}`} in {plural(run.pages, "page")}. The source has no
      partitions.
    </p>
  );
}

function Partitions({ run, isStack }: { readonly run: ListedRun; readonly isStack: boolean }) {
  const states = useSignal<PartitionStates | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const show = useSignal<PartitionFilter>("all");
  const offset = useSignal(0);
  const key = `${run.workflow} ${run.run} ${show.value} ${offset.value} ${run.status} ${run.sourceEnded} ${run.partitions?.read}`;
  const isChanging = isActive(run);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const read = async () => {
      try {
        const query = { workflow: run.workflow, run: run.run, show: show.value, offset: String(offset.value) };
        const answer = await get<PartitionStates>("/api/partitions", query);
        if (isOver) return;
        states.value = answer;
        problem.value = undefined;
      } catch (error) {
        problem.value = (error as Error).message;
      }
      if (!isOver && isChanging) timer = setTimeout(() => void read(), READ_MILLISECONDS[isStack ? "stack" : "here"]);
    };
    void read();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key, isChanging, isStack]);
  const shown = states.value;
  if (shown === undefined) return <p class="empty">{problem.value ?? "Reading the partitions…"}</p>;
  const { total, phases, matching, rows } = shown;
  if (total === null) return <p class="empty">The source is being divided into partitions.</p>;
  const inOrder = (Object.keys(PHASES) as PartitionPhase[]).toReversed();
  const present = inOrder.flatMap((phase) => ((phases[phase] ?? 0) > 0 ? [{ phase, value: phases[phase] ?? 0 }] : []));
  const label = present.map(({ phase, value }) => `${count(value)} ${PHASES[phase][0]}`).join(", ");
  return (
    <>
      {problem.value !== undefined && <p class="note bad">{visible(problem.value)}</p>}
      <p>
        <b>{plural(total, "partition")}</b>: {label}
      </p>
      <div class="bar thin" role="img" aria-label={label}>
        {present.map(({ phase, value }) => (
          <span key={phase} class={`part ${PHASES[phase][1]}`} style={{ flexGrow: value / total }} />
        ))}
      </div>
      <div class="row">
        <label>
          Show{" "}
          <select
            value={show.value}
            onChange={({ currentTarget }) => {
              offset.value = 0;
              show.value = currentTarget.value as PartitionFilter;
            }}
          >
            <option value="all">all partitions</option>
            <option value="open">failed or being read</option>
          </select>
        </label>
        {matching > PAGE && (
          <>
            <button type="button" disabled={offset.value === 0} onClick={() => (offset.value -= PAGE)}>
              Earlier
            </button>
            <button type="button" disabled={offset.value + PAGE >= matching} onClick={() => (offset.value += PAGE)}>
              Later
            </button>
            <span class="muted">
              {count(offset.value + 1)} to {count(Math.min(offset.value + PAGE, matching))} of {count(matching)}
            </span>
          </>
        )}
      </div>
      {rows.length === 0 ? (
        <p class="empty">No partition is failed or being read.</p>
      ) : (
        // A region that scrolls must be reachable with the keyboard.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
        <section class="table-frame partitions" aria-label="Partitions" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Partition</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Pages
                </th>
                <th scope="col" class="number">
                  Items read
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ number, id, phase, pages, items, problem: why }) => (
                <tr key={number}>
                  <td class="mono">{visible(id)}</td>
                  <td>
                    <span class={`status ${PHASES[phase][1]}`}>{PHASES[phase][0]}</span>
                    {why !== null && <div class="error whole">{visible(why)}</div>}
                  </td>
                  <td class="number" data-label="Pages">
                    {count(pages)}
                  </td>
                  <td class="number" data-label="Items read">
                    {count(items)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}
