import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { count, plural, seconds } from "../../../shared/observe/text.ts";
import type { ListedRun, Overview, ResultsView, RunDetail } from "../../server/api.ts";
import { Command, CommandButton } from "../parts/command.tsx";
import { Log } from "../parts/log.tsx";
import { ProgressBar } from "../parts/progress-bar.tsx";
import { Status } from "../parts/status.tsx";
import { ago, visible } from "../parts/text.ts";
import { get } from "../state/json-requests.ts";
import { failuresLink } from "../state/route.ts";
import { samples } from "../state/server-connection.ts";
import { Charts } from "./charts.tsx";
import { SourceProgress } from "./partitions.tsx";
import { RunActions } from "./run-actions.tsx";
import { resultsCommand } from "./run-commands.ts";
import { barCounts, settledShare, statusOf } from "./run-counts.ts";

/** One run. */
export function RunPage(props: { readonly overview: Overview; readonly workflow: string; readonly id: string }) {
  const { overview, workflow, id } = props;
  const run = overview.runs.find((each) => each.workflow === workflow && each.run === id);
  if (run === undefined) {
    return (
      <>
        <h1>Run {id}</h1>
        <p class="empty">
          {overview.isRead ? `There is no run ${id} of ${workflow} among the latest runs.` : "Reading the runs…"}
        </p>
      </>
    );
  }
  return <Shown run={run} overview={overview} />;
}

function Shown({ run, overview }: { readonly run: ListedRun; readonly overview: Overview }) {
  const share = settledShare(run);
  const { live } = run;
  return (
    <>
      <h1>
        {run.workflow} <span class="mono">{run.run}</span> <Status text={statusOf(run)} />
      </h1>
      <p class="muted">
        Requested {ago(run.requestedAt)} ({new Date(run.requestedAt).toLocaleString("en-GB")})
        {run.wallSeconds !== null && `, took ${seconds(run.wallSeconds)}`}
      </p>
      {run.notes.map(({ kind, text }) => (
        <p key={kind + text} class={`note ${kind === "failure" ? "bad" : ""}`}>
          {visible(text)}
        </p>
      ))}
      <section class="panel" aria-label="Progress">
        <ProgressBar counts={barCounts(run)} />
        <dl class="facts">
          <Fact name="Settled" value={share === undefined ? "not known yet" : `${Math.floor(share * 100)} %`} />
          <Fact name="Rate" value={live === null ? "–" : `${count(live.rate)}/s`} />
          <Fact name="Time left" value={live?.secondsLeft === undefined ? "–" : seconds(live.secondsLeft)} />
          <Fact name="Retried" value={count(run.retried)} />
          <Fact
            name={overview.isStack ? "Throttled, all runs" : "Throttled"}
            value={run.throttled === null ? "–" : count(run.throttled)}
          />
          {live?.held !== undefined && <Fact name="Limit" value={live.held} />}
        </dl>
        {run.dead > 0 && (
          <p>
            <a class="button" href={failuresLink(run.workflow)}>
              See why {plural(run.dead, "item")} died
            </a>{" "}
            <span class="muted">
              {Object.entries(run.deadByReason)
                .map(([reason, number]) => `${count(number ?? 0)} ${reason}`)
                .join(", ")}
            </span>
          </p>
        )}
      </section>
      <RunActions run={run} overview={overview} />
      <section aria-label="Charts">
        <h2>Over time</h2>
        <Charts run={run} samples={samples.value} isStack={overview.isStack} />
      </section>
      <SourceProgress run={run} isStack={overview.isStack} />
      <section aria-label="Log">
        <h2>Log</h2>
        <Log key={run.run} run={run.run} flags={overview.flags} />
      </section>
      <Results run={run} flags={overview.flags} />
      <Definition run={run} />
    </>
  );
}

const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
);

/** The first rows of the results, when the user asks for them. */
function Results({ run, flags }: { readonly run: ListedRun; readonly flags: string }) {
  const view = useSignal<ResultsView | { readonly problem: string } | "reading" | undefined>(undefined);
  if (run.results === null) return null;
  const query = { workflow: run.workflow, run: run.run };
  const read = async () => {
    view.value = "reading";
    view.value = await get<ResultsView>("/api/results", query).catch((error: Error) => ({ problem: error.message }));
  };
  const shown = view.value;
  return (
    <section aria-label="Results">
      <h2>Results</h2>
      <div class="actions">
        <CommandButton
          label={shown === "reading" ? "Reading…" : "Show the first rows"}
          command={resultsCommand(run.run, flags)}
          onClick={() => void read()}
          disabled={shown === "reading"}
        />
        {(["jsonl", "csv"] as const).map((format) => (
          <div key={format} class="action">
            <a class="button" href={`/api/results/download?${new URLSearchParams({ ...query, format })}`} download>
              Download {format === "csv" ? "CSV" : "JSON lines"}
            </a>
            <Command text={resultsCommand(run.run, flags, format)} />
          </div>
        ))}
      </div>
      {shown !== undefined && shown !== "reading" && (
        <>
          {shown.problem !== null && <p class="note bad">{visible(shown.problem)}</p>}
          {"first" in shown && (
            <>
              <p class="muted">
                {plural(shown.rows, "row")} in {visible(shown.url)}. The first {shown.first.length}:
              </p>
              <ResultsTable rows={shown.first} />
            </>
          )}
        </>
      )}
    </section>
  );
}

/** Rows as a table: one column for each field of the results. */
function ResultsTable({ rows }: { readonly rows: readonly string[] }) {
  const parsed = rows.map((row) => {
    try {
      return JSON.parse(row) as { readonly id?: unknown; readonly result?: unknown };
    } catch {
      return { result: row };
    }
  });
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
  const columns = [
    ...new Set(parsed.flatMap(({ result }) => (isObject(result) ? Object.keys(result) : ["result"]))),
  ].slice(0, 12);
  const cell = (value: unknown) =>
    visible((typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, 200));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable with the keyboard.
    <section class="table-frame" tabIndex={0} aria-label="The first rows of the results">
      <table>
        <thead>
          <tr>
            <th scope="col">Item</th>
            {columns.map((name) => (
              <th key={name} scope="col">
                {visible(name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {parsed.map(({ id, result }, index) => (
            <tr key={String(id ?? index)}>
              <td class="mono">{cell(String(id ?? "").replace(/^[^/]*\//, ""))}</td>
              {columns.map((name) => (
                <td key={name}>{cell(isObject(result) ? result[name] : name === "result" ? result : undefined)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What the workflow's file says. */
function Definition({ run }: { readonly run: ListedRun }) {
  const detail = useSignal<RunDetail | undefined>(undefined);
  useEffect(() => {
    get<RunDetail>("/api/run", { workflow: run.workflow, run: run.run })
      .catch((error: Error): RunDetail => ({ definition: [], file: null, problem: error.message }))
      .then((read) => {
        detail.value = read;
      });
  }, [run.workflow, run.run, detail]);
  const shown = detail.value;
  return (
    <section aria-label="Definition">
      <h2>Definition</h2>
      {shown === undefined && <p class="empty">Reading…</p>}
      {shown?.file != null && <p class="muted mono">{shown.file}</p>}
      {shown?.problem != null && <p class="note">{visible(shown.problem)}</p>}
      {shown !== undefined && shown.definition.length > 0 && (
        <dl class="facts">
          {shown.definition.map(([name, value]) => (
            <Fact key={name} name={name} value={visible(value)} />
          ))}
        </dl>
      )}
    </section>
  );
}
