import { ConfigurationError } from "../../shared/base/errors.ts";
import type { StoredLimit } from "../../shared/ledger/limit-row.ts";
import { rateInForce, type SetLimit } from "../../shared/limits/fleet-limit.ts";
import type { LimitOptions } from "../commands/limit.ts";
import { table } from "../screens/format.ts";
import { limitRows, setLimitText } from "../screens/limit-text.ts";
import { say } from "../screens/paragraph.ts";
import { writeJson } from "../screens/write-json.ts";
import { targets } from "../targets/find-run.ts";
import { stackFlag, type Target } from "../targets/target.ts";

/** Shows or changes the limits of a workflow's fleet. */
export async function limitWorkflow(workflow: string, options: LimitOptions): Promise<void> {
  for await (const target of targets({ ...options, workflow })) {
    const before = await target.services.limitRow.read();
    const after = await change(target, before, options);
    if (options.json) writeJson(jsonOf(target, after));
    else show(target, before, after);
    return;
  }
  const list = options.stack === undefined ? "npx sluice status" : "npx sluice status --stack";
  throw new ConfigurationError(`there is no workflow "${workflow}" here. List the workflows with: ${list}`);
}

async function change({ services }: Target, before: StoredLimit, options: LimitOptions): Promise<StoredLimit> {
  const { limitRow } = services;
  const { concurrency, rate, clear } = options;
  if (clear) return await limitRow.clear();
  if (concurrency === undefined && rate === undefined) return before;
  const most = before.concurrency;
  if (concurrency !== undefined && most !== undefined && concurrency > most) {
    throw new ConfigurationError(
      `--concurrency must be at most ${most}, the concurrency of the workflow, but is ${concurrency}: set a higher ` +
        "concurrency in the workflow's file, and deploy or run it again",
    );
  }
  return await limitRow.set({
    ...before.state.set,
    ...(concurrency !== undefined && { concurrency }),
    ...(rate !== undefined && { perSecond: rate }),
  } satisfies SetLimit);
}

function show(target: Target, { state: before }: StoredLimit, { state, concurrency }: StoredLimit): void {
  const { name, where } = target;
  const set = setLimitText(state.set);
  console.log(table(limitRows(state, concurrency), "", 2));
  if (JSON.stringify(before.set) === JSON.stringify(state.set)) return;
  say(
    set === ""
      ? `The fleet of ${name} on ${where} has no limit of this command any more. This takes effect within 3 s.`
      : `The fleet of ${name} on ${where} keeps this limit from now on (within 3 s), in all runs. Remove it with: ` +
          `npx sluice limit ${name} --clear${stackFlag(target)}`,
  );
}

const jsonOf = ({ workflow }: Target, { state }: StoredLimit) => ({
  type: "limit",
  workflow,
  set: state.set,
  inForce: { ...state.limit, perSecond: rateInForce(state.limit) },
  since: state.epoch === 0 ? null : new Date(state.at).toISOString(),
});
