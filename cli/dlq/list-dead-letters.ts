import type { ListOptions } from "../commands/dlq/list.ts";
import { EXIT } from "../exit-code.ts";
import { DeadLetterList } from "../screens/dlq/dead-letter-list.ts";
import { nextSteps } from "../screens/next-steps.ts";
import { writeJson } from "../screens/write-json.ts";
import { dlqTargets } from "../targets/dead-letter-target.ts";
import { whileEngineRuns } from "../targets/engine-ended.ts";
import type { Target } from "../targets/target.ts";
import { scanExitCode } from "./scan-exit-code.ts";
import { scanWithProgress } from "./scan-with-progress.ts";

/** Lists the dead letters of each workflow, and sets the exit code. */
export async function listDeadLetters(options: ListOptions): Promise<void> {
  const all: { readonly target: Target; readonly list: DeadLetterList }[] = [];
  let code: number = EXIT.succeeded;
  let read = 0;
  for await (const target of dlqTargets(options)) {
    const list = new DeadLetterList(options.by, options);
    const result = await whileEngineRuns(target, () => scanWithProgress(target, (deadLetter) => list.add(deadLetter)));
    if (options.json) for (const line of list.toJson(target, result)) writeJson(line);
    else console.log(`${all.length === 0 ? "" : "\n"}${list.toText(target, result)}`);
    all.push({ target, list });
    read += result.looked;
    const own = scanExitCode(result, list.matched);
    if (own !== EXIT.noneMatches) code = Math.max(code, own);
    if (own === EXIT.interrupted) break;
  }
  const [first, another] = all.filter(({ list }) => list.matched > 0);
  if (first === undefined && read > 0 && code === EXIT.succeeded) code = EXIT.noneMatches;
  process.exitCode = code;
  if (first === undefined) return;
  const workflow = another === undefined ? options.workflow : first.target.workflow;
  if (!options.json) console.log(`\n${nextSteps(first.list.steps(first.target, workflow))}`);
}
