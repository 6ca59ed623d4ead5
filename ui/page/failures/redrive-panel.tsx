import { useSignal } from "@preact/signals";
import { count, plural } from "../../../shared/observe/text.ts";
import type { CheckResult, Overview, WorkKind } from "../../server/api.ts";
import { Command, CommandButton } from "../parts/command.tsx";
import { ask } from "../parts/confirm.tsx";
import { telling } from "../parts/message.ts";
import { visible } from "../parts/text.ts";
import { limitCommand } from "../runs/run-commands.ts";
import { post } from "../state/json-requests.ts";
import { work } from "../state/server-connection.ts";
import { Diff } from "./diff.tsx";
import { type Choice, exportCommand, purgeCommand, redriveCommand } from "./dlq-commands.ts";
import { type FailuresState, queryOf, rateOf } from "./failures-state.ts";

/** Longer lists of ids do not fit into a URL. */
const MOST_IDS_IN_URL = 150;

/** What to do with the selected dead letters: change, check, send back, export, delete. */
export function RedrivePanel({ state, overview }: { readonly state: FailuresState; readonly overview: Overview }) {
  const { flags, writable } = overview;
  const { workflow } = state;
  const selected = state.selected.value;
  const editedItems = Object.keys(state.edits.value.items ?? {}).length;
  const isRunning = work.value?.state === "running";
  const isWorking = overview.workflows.find((each) => each.workflow === workflow)?.running === true;
  const isTicked = state.ticked.value.size > 0;
  const what = isTicked
    ? `${plural(selected, "ticked dead letter")}`
    : `all ${plural(selected, "dead letter")} that match`;
  const begin = (kind: WorkKind) =>
    telling(async () => {
      await post("/api/work", {
        kind,
        workflow,
        selection: state.selection.value,
        ...(kind !== "purge" && { edits: state.edits.value, ratePerSecond: rate }),
      });
      return undefined;
    });
  const rate = rateOf(state);
  const isRateWrong = Number.isNaN(rate);
  const choice: Choice = {
    workflow,
    selection: state.selection.value,
    edits: state.edits.value,
    ratePerSecond: isRateWrong ? undefined : rate,
    flags,
  };
  const disabled = isRunning || selected === 0;
  const cannotSend = disabled || isRateWrong;
  const ids = state.selection.value.ids;
  const canExport = ids === undefined || ids.length <= MOST_IDS_IN_URL;
  const query = ids === undefined ? queryOf(workflow, state.filter.value) : { workflow, ids: ids.join(",") };
  return (
    <section class="panel" id="redrive" aria-label="Redrive">
      <h2>Redrive</h2>
      <p>
        Selected: <b>{what}</b>
        {editedItems > 0 && `, ${plural(editedItems, "item")} edited`}.
      </p>
      <div class="filters">
        <label class="grow">
          Set values in each item, one path=value a line
          <textarea
            class="mono"
            rows={2}
            spellcheck={false}
            placeholder={'country="FR"'}
            value={state.set.value}
            onInput={({ currentTarget }) => (state.set.value = currentTarget.value)}
          />
        </label>
        <label>
          At most, per second
          <input
            inputMode="decimal"
            placeholder="no limit"
            aria-invalid={isRateWrong}
            value={state.rate.value}
            onInput={({ currentTarget }) => (state.rate.value = currentTarget.value)}
          />
        </label>
      </div>
      <div role="status">
        {isRateWrong && <p class="note bad">The rate must be a number from above 0 to 100,000, such as 50 or 0.5.</p>}
      </div>
      {rate !== undefined && !isRateWrong && !isWorking && (
        <p class="muted">
          No engine runs here now. The dead letters go back at this rate, and then an engine starts. It processes them
          as fast as the limits of the workflow allow. To slow it down, set a limit first:{" "}
          <code>{limitCommand(workflow, rate, flags)}</code>
        </p>
      )}
      {state.hasEdits.value && <Check state={state} choice={choice} />}
      <div class="actions">
        <CommandButton
          label="Dry run"
          command={redriveCommand(choice, { dryRun: true })}
          onClick={() => void begin("dry run")}
          disabled={cannotSend}
        />
        <CommandButton
          label={`Redrive ${count(selected)}…`}
          kind="main"
          command={redriveCommand(choice)}
          disabled={cannotSend || !writable}
          onClick={() =>
            ask({
              title: `Send ${what} back to the queue?`,
              text: "Each item gets fresh attempts, and counts as pending in its run until it settles again.",
              command: redriveCommand(choice),
              verb: "Redrive",
              onYes: () => void begin("redrive"),
            })
          }
        />
        <div class="action">
          {canExport ? (
            <a class="button" href={`/api/dead-letters/export?${new URLSearchParams(query)}`} download>
              Export {count(selected)}
            </a>
          ) : (
            <span class="muted">Tick at most {MOST_IDS_IN_URL} dead letters to export them, or use the filters.</span>
          )}
          <Command text={exportCommand(choice)} />
        </div>
        <CommandButton
          label={`Purge ${count(selected)}…`}
          kind="danger"
          command={purgeCommand(choice)}
          disabled={disabled || !writable}
          onClick={() =>
            ask({
              title: `Delete ${what}?`,
              text: "They are first written to a backup in the directory in which the server was started.",
              command: purgeCommand(choice),
              verb: `Delete ${count(selected)}`,
              isDangerous: true,
              onYes: () => void begin("purge"),
            })
          }
        />
      </div>
      {!writable && <p class="muted">The stack is shown without changing it. Start npx sluice ui with --write.</p>}
    </section>
  );
}

/** Shows what the edits change, and which items fail the schema. */
function Check({ state, choice }: { readonly state: FailuresState; readonly choice: Choice }) {
  const result = useSignal<
    { readonly key: string; readonly check: CheckResult } | { readonly error: string } | undefined
  >(undefined);
  const request = { workflow: state.workflow, selection: state.selection.value, edits: state.edits.value };
  const key = JSON.stringify(request);
  const check = async () => {
    try {
      result.value = { key, check: await post<CheckResult>("/api/check", request) };
    } catch (error) {
      result.value = { error: (error as Error).message };
    }
  };
  const shown = result.value;
  return (
    <div class="edit">
      <CommandButton
        label="Show the changes, and check them against the schema"
        command={redriveCommand(choice, { dryRun: true })}
        onClick={() => void check()}
      />
      <div role="status">
        {shown !== undefined && "error" in shown && <p class="note bad">{visible(shown.error)}</p>}
        {shown !== undefined && "check" in shown && shown.key === key && (
          <p class={`note ${shown.check.invalid > 0 ? "bad" : "good"}`}>
            {plural(shown.check.changed, "item")} of {count(shown.check.selected)} change, {count(shown.check.invalid)}{" "}
            fail the schema.{shown.check.problem !== null && ` ${visible(shown.check.problem)}`}
          </p>
        )}
      </div>
      {shown !== undefined && "check" in shown && shown.key === key && (
        <ul class="plain">
          {shown.check.examples.map(({ id, before, after, problem }) => (
            <li key={id}>
              <span class="mono">{id.slice(0, 8)}</span>
              {problem !== null && <span class="note bad">{visible(problem)}</span>}
              <Diff before={before} after={after} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
