import type { ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { duplexPair } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { fromStoredText } from "../../../shared/base/exact-json.ts";
import { CHANNEL_DESCRIPTOR } from "../../../shared/base/private-channel.ts";
import { runAttempt } from "../../../shared/consumer/attempts/attempt.ts";
import {
  type IsolatedAnswer,
  type IsolatedRequest,
  toAnswer,
} from "../../../shared/consumer/attempts/isolation-protocol.ts";
import type { Workflow } from "../../../shared/definition/workflow.ts";
import { SILENT } from "./silence.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/** No real process has such a number, so none is looked at or killed by mistake. */
const FIRST_PID = 2 ** 30;

/**
 * Replaces `spawn` for isolated attempts: the process is simulated, and talks to its consumer over a channel of the same
 * form as that of a real process.
 */
export function simulatedSpawn(
  parent: SimulatedProcess,
  begin: () => { readonly process: SimulatedProcess; readonly workflow: Workflow; readonly startMilliseconds: number },
): typeof spawn {
  const spawned = () => {
    const { process, workflow, startMilliseconds } = begin();
    const [ours, theirs] = duplexPair();
    const stdio: unknown[] = [];
    stdio[CHANNEL_DESCRIPTOR] = ours;
    const child = Object.assign(new EventEmitter(), {
      pid: FIRST_PID + process.pid,
      stdio,
      kill: () => {
        process.kill();
        return true;
      },
    });
    // An environment's processes end with it.
    parent.gone.addEventListener("abort", () => process.kill());
    void process.ended.then((how) => {
      theirs.destroy();
      if (!parent.isAlive) return;
      if (how === "exit code 1") child.emit("close", 1, null);
      else child.emit("close", null, "SIGKILL");
    });
    void serve(theirs, process, workflow, startMilliseconds);
    return child as unknown as ChildProcess;
  };
  return spawned as unknown as typeof spawn;
}

/** The side of the simulated process: like `isolated-main.ts`. */
async function serve(
  stream: ReturnType<typeof duplexPair>[number],
  process: SimulatedProcess,
  workflow: Workflow,
  startMilliseconds: number,
): Promise<void> {
  let secret: string | undefined;
  let rest = "";
  const send = (answer: IsolatedAnswer) => {
    if (process.isAlive) stream.write(`\n${secret}${JSON.stringify(answer)}\n`);
  };
  stream.setEncoding("utf8");
  stream.on("error", () => {});
  stream.on("data", async (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines.filter((each) => each !== "")) {
      if (secret === undefined) {
        secret = line;
        await setTimeout(startMilliseconds);
        send({ tag: "ready" });
      } else {
        const { itemText, keepsResult, context, timeoutMilliseconds } = JSON.parse(
          line.slice(secret.length),
        ) as IsolatedRequest;
        const outcome = await runAttempt({
          task: workflow.task,
          schema: workflow.item,
          item: fromStoredText(itemText),
          ...(keepsResult === true && { result: { schema: workflow.result } }),
          context: { ...context, logger: SILENT },
          timeoutMilliseconds,
          deadline: Number.POSITIVE_INFINITY,
          now: Date.now,
        });
        // A process that is blocked never answers.
        await process.send(async () => send(toAnswer(outcome)));
      }
    }
  });
}
