import type { ListOptions } from "../commands/dlq/list.ts";
import { EXIT } from "../exit-code.ts";
import { DeadLetterList } from "../screens/dlq/dead-letter-list.ts";
import { nextSteps } from "../screens/next-steps.ts";
import { linesOf, roomOf } from "../screens/terminal-width.ts";
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
  const room = roomOf(process.stdout);
  const headings: string[] = [];
  let printed = 0;
  const print = (text: string) => {
    printed += linesOf(text);
    console.log(text);
  };
  for await (const target of dlqTargets(options)) {
    const list = new DeadLetterList(options.by, options);
    const result = await whileEngineRuns(target, () => scanWithProgress(target, (deadLetter) => list.add(deadLetter)));
    if (options.json) for (const line of list.toJson(target, result)) writeJson(line);
    else {
      const steps = list.matched === 0 ? 0 : linesOf(nextSteps(list.steps(target, options.workflow))) + 1;
      const text = list.toText(target, result, room === undefined ? undefined : room - steps);
      headings.push(list.heading(target, result));
      print(`${all.length === 0 ? "" : "\n"}${text}`);
    }
    all.push({ target, list });
    read += result.looked;
    const own = scanExitCode(result, list.matched);
    if (own !== EXIT.noneMatches) code = Math.max(code, own);
    if (own === EXIT.interrupted) break;
  }
  const [first, another] = all.filter(({ list }) => list.matched > 0);
  if (first === undefined && read > 0 && code === EXIT.succeeded) code = EXIT.noneMatches;
  process.exitCode = code;
  if (options.json) return;
  if (first !== undefined) {
    const workflow = another === undefined ? options.workflow : first.target.workflow;
    print(`\n${nextSteps(first.list.steps(first.target, workflow))}`);
  }
  // The first lines have scrolled away: of several workflows, or because the user asked for more than fits.
  if (room !== undefined && printed > room) console.log(`\n${headings.join("\n")}`);
}
