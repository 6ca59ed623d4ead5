import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { plural } from "../../../shared/observe/text.ts";
import type { CheckResult, DeadLetterView } from "../../server/api.ts";
import { Command, CommandButton } from "../parts/command.tsx";
import { Log } from "../parts/log.tsx";
import { ago, visible } from "../parts/text.ts";
import { get, post } from "../state/json-requests.ts";
import { runLink } from "../state/route.ts";
import { Diff } from "./diff.tsx";
import { redriveCommand, showCommand } from "./dlq-commands.ts";
import type { FailuresState } from "./failures-state.ts";
import { JsonTree } from "./json-tree.tsx";
import { Timeline } from "./timeline.tsx";

/** One dead letter: why it died, its attempts, its item, and the edit of the item. */
export function ItemPanel(props: { readonly state: FailuresState; readonly id: string; readonly flags: string }) {
  const { state, id, flags } = props;
  const view = useSignal<DeadLetterView | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    get<DeadLetterView>("/api/dead-letter", { workflow: state.workflow, id }).then(
      (read) => {
        view.value = read;
        title.current?.focus();
      },
      (error: Error) => {
        problem.value = error.message;
      },
    );
  }, [id, state, view, problem]);
  const close = () => {
    state.open.value = undefined;
  };
  const shown = view.value;
  return (
    <aside class="panel item" aria-label="One dead letter" onKeyDown={({ key }) => key === "Escape" && close()}>
      <div class="row">
        <h2 ref={title} tabIndex={-1}>
          Dead letter <span class="mono">{id.slice(0, 8)}</span>
        </h2>
        <button type="button" class="quiet push" onClick={close}>
          Close
        </button>
      </div>
      {problem.value !== undefined && <p class="note bad">{visible(problem.value)}</p>}
      {shown === undefined ? <p class="empty">Reading…</p> : <Shown view={shown} state={state} flags={flags} />}
      {shown !== undefined && shown.run !== null && shown.itemId !== null && (
        <>
          <h3>Log</h3>
          <Log run={shown.run} item={shown.itemId} flags={flags} />
        </>
      )}
      <Command text={showCommand(id, { workflow: state.workflow, flags })} />
    </aside>
  );
}

interface ShownProps {
  readonly view: DeadLetterView;
  readonly state: FailuresState;
  readonly flags: string;
}

function Shown({ view, state, flags }: ShownProps) {
  const { run, page, index, reason, diedAt, attempts, redrives, truncated, isCut, expiresAt } = view;
  return (
    <>
      <p class="error whole">
        <b>{visible(view.errorName)}</b>: {visible(view.errorMessage.slice(0, 5_000))}
      </p>
      <p class="muted">
        {reason}, died {ago(diedAt)} after {plural(attempts, "attempt")}
        {redrives > 0 && `, redriven ${plural(redrives, "time")}`}
        {page !== null && `, page ${page}, index ${index}`}
        {run !== null && (
          <>
            , run{" "}
            <a class="mono" href={runLink(state.workflow, run)}>
              {run}
            </a>
          </>
        )}
        {expiresAt !== null && `, SQS deletes it ${new Date(expiresAt).toLocaleString("en-GB")}`}
      </p>
      <h3>Attempts</h3>
      <Timeline failures={view.failures} />
      <h3>Item{truncated && " (only its start: the whole was too large)"}</h3>
      <JsonTree text={view.itemText} />
      {isCut ? (
        <p class="muted">The item is too large to be edited here. Export it, or use the command with --transform.</p>
      ) : (
        <Edit view={view} state={state} flags={flags} />
      )}
    </>
  );
}

/** Edits one item. The edit is sent with the redrive. */
function Edit({ view, state, flags }: ShownProps) {
  // In JSON, a control character that is written out means the same.
  const before = visible(view.itemText);
  const text = state.edited.value.get(view.id)?.text;
  const checked = useSignal<{ readonly text: string; readonly problem: string | null } | undefined>(undefined);
  const choice = {
    workflow: state.workflow,
    selection: { ids: [view.id] },
    edits: { items: { [view.id]: text ?? before } },
    flags,
  };
  if (text === undefined) {
    return (
      <CommandButton
        label="Edit the item"
        kind="main"
        command={redriveCommand(choice)}
        onClick={() => state.edit(view.id, before, before)}
      />
    );
  }
  const check = async () => {
    try {
      const { examples, problem } = await post<CheckResult>("/api/check", {
        workflow: state.workflow,
        selection: choice.selection,
        edits: choice.edits,
      });
      checked.value = { text, problem: examples[0]?.problem ?? (problem === null ? null : `not checked: ${problem}`) };
    } catch (error) {
      checked.value = { text, problem: (error as Error).message };
    }
  };
  const verdict = checked.value?.text === text ? checked.value : undefined;
  return (
    <div class="edit">
      <label>
        The new item, as JSON
        <textarea
          class="mono"
          spellcheck={false}
          rows={Math.min(16, text.split("\n").length + 1)}
          value={text}
          onInput={({ currentTarget }) => state.edit(view.id, currentTarget.value, before)}
        />
      </label>
      <Diff before={before} after={text} />
      <div class="row">
        <CommandButton
          label="Check against the schema"
          command={redriveCommand(choice, { dryRun: true })}
          onClick={() => void check()}
        />
        <button
          type="button"
          class="main"
          onClick={() => document.getElementById("redrive")?.scrollIntoView({ behavior: "smooth" })}
        >
          Go to the redrive
        </button>
        <button type="button" class="quiet" onClick={() => state.dropEdit(view.id)}>
          Drop the edit
        </button>
      </div>
      <p role="status" class={verdict === undefined ? "" : `note ${verdict.problem === null ? "good" : "bad"}`}>
        {verdict !== undefined && (verdict.problem === null ? "The item passes the schema." : visible(verdict.problem))}
      </p>
    </div>
  );
}
