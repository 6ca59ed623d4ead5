import { useSignal } from "@preact/signals";
import { count, seconds } from "../../../shared/observe/text.ts";
import type { ListedRun, Overview } from "../../server/api.ts";
import { CommandButton } from "../parts/command.tsx";
import { ask } from "../parts/confirm.tsx";
import { telling } from "../parts/message.ts";
import { ProgressBar } from "../parts/progress-bar.tsx";
import { Status } from "../parts/status.tsx";
import { ago } from "../parts/text.ts";
import { post } from "../state/json-requests.ts";
import { failuresLink, runLink } from "../state/route.ts";
import { startCommand } from "./run-commands.ts";
import { barCounts, isActive, settledShare, statusOf } from "./run-counts.ts";

const FILTERS = ["all", "active", "with dead letters", "ended"] as const;

/** The list of runs, newest first. */
export function RunsPage({ overview }: { readonly overview: Overview }) {
  const filter = useSignal<string>("all");
  const workflow = useSignal("");
  const text = useSignal("");
  const runs = overview.runs.filter(
    (run) =>
      (filter.value === "all" ||
        (filter.value === "active" && isActive(run)) ||
        (filter.value === "ended" && !isActive(run)) ||
        (filter.value === "with dead letters" && run.dead > 0)) &&
      (workflow.value === "" || run.workflow === workflow.value) &&
      run.run.includes(text.value.trim()),
  );
  return (
    <>
      <h1>Runs</h1>
      <Start overview={overview} />
      <search class="filters" aria-label="Filter the runs">
        <label>
          Show
          <select value={filter.value} onChange={({ currentTarget }) => (filter.value = currentTarget.value)}>
            {FILTERS.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <label>
          Workflow
          <select value={workflow.value} onChange={({ currentTarget }) => (workflow.value = currentTarget.value)}>
            <option value="">all</option>
            {overview.workflows.map(({ workflow: name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label class="grow">
          Id
          <input
            type="search"
            data-shortcut="/"
            placeholder="a part of the run's id"
            value={text.value}
            onInput={({ currentTarget }) => (text.value = currentTarget.value)}
          />
        </label>
      </search>
      {runs.length === 0 ? (
        <p class="empty">
          {overview.isRead
            ? overview.runs.length === 0
              ? "No workflow has been run here yet."
              : "No run matches the filters."
            : "Reading the runs…"}
        </p>
      ) : (
        <div class="table-frame">
          <table class="runs">
            <thead>
              <tr>
                <th scope="col">Workflow and run</th>
                <th scope="col">Status</th>
                <th scope="col">Progress</th>
                <th scope="col" class="number">
                  Rate
                </th>
                <th scope="col" class="number">
                  Time left
                </th>
                <th scope="col" class="number">
                  Throttled
                </th>
                <th scope="col" class="number">
                  Dead
                </th>
              </tr>
            </thead>
            <tbody>
              {runs.map((run) => (
                <Row key={run.run} run={run} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Row({ run }: { readonly run: ListedRun }) {
  const { live } = run;
  const share = settledShare(run);
  return (
    <tr>
      <td>
        <a href={runLink(run.workflow, run.run)}>
          <b>{run.workflow}</b> <span class="mono">{run.run}</span>
        </a>
        <div class="muted">
          {ago(run.requestedAt)}
          {run.wallSeconds !== null && `, took ${seconds(run.wallSeconds)}`}
        </div>
      </td>
      <td>
        <Status text={statusOf(run)} />
      </td>
      <td class="wide">
        <ProgressBar counts={barCounts(run)} legend={false} />
        <div class="muted">
          {share !== undefined && `${Math.floor(share * 100)} % of `}
          {count(run.produced)} items
        </div>
      </td>
      <td class="number" data-label="Rate">
        {live === null ? "–" : `${count(live.rate)}/s`}
      </td>
      <td class="number" data-label="Time left">
        {live?.secondsLeft === undefined ? "–" : seconds(live.secondsLeft)}
      </td>
      <td class="number" data-label="Throttled">
        {run.throttled === null ? "–" : count(run.throttled)}
      </td>
      <td class="number" data-label="Dead">
        {run.dead > 0 ? (
          <a href={failuresLink(run.workflow)} aria-label={`${run.dead} dead letters of ${run.workflow}`}>
            {count(run.dead)}
          </a>
        ) : (
          "0"
        )}
      </td>
    </tr>
  );
}

/** Starts a run. */
function Start({ overview }: { readonly overview: Overview }) {
  const chosen = useSignal("");
  const items = useSignal("");
  const { startable, flags, isStack, writable } = overview;
  const name = chosen.value || startable[0];
  if (name === undefined) return null;
  const typed = items.value.trim();
  const isWrong = typed !== "" && !(/^[1-9]\d*$/.test(typed) && Number.isSafeInteger(Number(typed)));
  const limit = typed === "" || isWrong ? undefined : Number(typed);
  const command = startCommand(name, { isStack, items: limit, flags });
  const start = () =>
    telling(
      async () =>
        (await post<{ message: string }>("/api/command", { command: "start", workflow: name, items: limit })).message,
    );
  return (
    <details class="panel">
      <summary>Start a run</summary>
      <div class="filters">
        <label>
          Workflow
          <select value={name} onChange={({ currentTarget }) => (chosen.value = currentTarget.value)}>
            {startable.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
        <label>
          Most items
          <input
            inputMode="numeric"
            placeholder="all"
            aria-invalid={isWrong}
            value={items.value}
            onInput={({ currentTarget }) => (items.value = currentTarget.value)}
          />
        </label>
      </div>
      <div role="status">{isWrong && <p class="note bad">The number of items must be a whole number above 0.</p>}</div>
      <CommandButton
        label="Start"
        kind="main"
        command={command}
        disabled={!writable || isWrong}
        onClick={() =>
          isStack
            ? ask({
                title: `Start a run of ${name}?`,
                text: "The stack reads the whole source.",
                command,
                verb: "Start",
                onYes: () => void start(),
              })
            : void start()
        }
      />
    </details>
  );
}
