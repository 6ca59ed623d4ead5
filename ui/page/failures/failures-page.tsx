import { useEffect } from "preact/hooks";
import { count, plural } from "../../../shared/observe/text.ts";
import type { Overview } from "../../server/api.ts";
import { CommandButton } from "../parts/command.tsx";
import { telling } from "../parts/message.ts";
import { ProgressBar } from "../parts/progress-bar.tsx";
import { Status } from "../parts/status.tsx";
import { ago, visible } from "../parts/text.ts";
import { barCounts, statusOf } from "../runs/run-counts.ts";
import { post } from "../state/json-requests.ts";
import { runLink } from "../state/route.ts";
import { work } from "../state/server-connection.ts";
import { DeadLetterList } from "./dead-letter-list.tsx";
import { listCommand } from "./dlq-commands.ts";
import { type FailuresState, failuresStateOf } from "./failures-state.ts";
import { Groups } from "./groups.tsx";
import { ItemPanel } from "./item-panel.tsx";
import { RedrivePanel } from "./redrive-panel.tsx";
import { WorkProgress } from "./work-progress.tsx";

/** SQS returns at most so many messages in a receive. */
const PER_RECEIVE = 10;

/** The failures of one workflow. */
export function FailuresPage({ overview, workflow }: { readonly overview: Overview; readonly workflow: string }) {
  const state = failuresStateOf(workflow);
  useEffect(() => state.follow(), [state]);
  const summary = state.summary.value;
  const isLoaded = summary !== undefined && summary.loadedAt !== null;
  return (
    <>
      <h1>Failures of {workflow}</h1>
      <Load state={state} overview={overview} />
      <WorkProgress workflow={workflow} />
      <RunsOfFailures overview={overview} workflow={workflow} />
      {state.problem.value !== undefined && <p class="note bad">{visible(state.problem.value)}</p>}
      {isLoaded && summary.loaded > 0 && (
        <>
          <Groups state={state} groups={summary.groups} />
          <Filters state={state} />
          <div class={state.open.value === undefined ? "" : "split"}>
            <DeadLetterList state={state} />
            {state.open.value !== undefined && (
              <ItemPanel key={state.open.value} state={state} id={state.open.value} flags={overview.flags} />
            )}
          </div>
          <RedrivePanel state={state} overview={overview} />
        </>
      )}
    </>
  );
}

/** The explicit step that loads the dead letters. */
function Load({ state, overview }: { readonly state: FailuresState; readonly overview: Overview }) {
  const { workflow } = state;
  const known = overview.workflows.find((each) => each.workflow === workflow)?.deadLetters ?? null;
  const summary = state.summary.value;
  const isRunning = work.value?.state === "running";
  const load = () =>
    telling(async () => {
      await post("/api/work", { kind: "load", workflow });
      return undefined;
    });
  const isLoaded = summary?.loadedAt != null;
  const about = overview.isStack ? "about " : "";
  return (
    <section class="panel" aria-label="Load the dead letters">
      <p>
        {known === null ? "The queue was not read yet." : `The queue holds ${about}${plural(known, "dead letter")}.`}{" "}
        {isLoaded
          ? `${count(summary.loaded)} of them are loaded here, as they were ${ago(new Date(summary.loadedAt ?? 0).toISOString())}.`
          : "Load them to see why the items died."}
      </p>
      {known !== null && known > 0 && (
        <p class="muted">
          SQS shows a message only by receiving it: this takes {overview.isStack ? "about " : ""}
          {plural(Math.ceil(known / PER_RECEIVE), "receive")}. Until it is done, other commands do not see the dead
          letters.
        </p>
      )}
      {summary?.note != null && <p class="muted">{visible(summary.note)}</p>}
      <CommandButton
        label={isLoaded ? "Load again" : "Load the dead letters"}
        kind={isLoaded ? undefined : "main"}
        command={listCommand({ workflow, flags: overview.flags })}
        onClick={load}
        disabled={isRunning}
      />
    </section>
  );
}

/** The latest runs with dead letters: their counts move when items are redriven. */
function RunsOfFailures({ overview, workflow }: { readonly overview: Overview; readonly workflow: string }) {
  const runs = overview.runs.filter((run) => run.workflow === workflow && (run.dead > 0 || run.redriven)).slice(0, 3);
  if (runs.length === 0) return null;
  return (
    <section class="panel" aria-label="Runs with dead letters">
      {runs.map((run) => (
        <div key={run.run} class="run-line">
          <p>
            <a href={runLink(workflow, run.run)} class="mono">
              {run.run}
            </a>{" "}
            <Status text={statusOf(run)} />
          </p>
          <ProgressBar counts={barCounts(run)} />
        </div>
      ))}
    </section>
  );
}

function Filters({ state }: { readonly state: FailuresState }) {
  const { reasons = [], runs = [] } = state.summary.value ?? {};
  return (
    <search class="filters" aria-label="Filter the dead letters">
      <label>
        Reason
        <select value={state.reason.value} onChange={({ currentTarget }) => (state.reason.value = currentTarget.value)}>
          <option value="">all</option>
          {reasons.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <label>
        Run
        <select value={state.run.value} onChange={({ currentTarget }) => (state.run.value = currentTarget.value)}>
          <option value="">all</option>
          {runs.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <label class="grow">
        Text
        <input
          type="search"
          data-shortcut="/"
          placeholder="a part of the error, the item or the id"
          value={state.text.value}
          onInput={({ currentTarget }) => (state.text.value = currentTarget.value)}
        />
      </label>
    </search>
  );
}
