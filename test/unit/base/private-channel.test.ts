import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { channelStdio, PrivateChannel } from "../../../shared/base/private-channel.ts";
import { watchChildren } from "../../helpers/child-processes.ts";

const childrenEnded = await watchChildren();

const MODULE = fileURLToPath(new URL("../../../shared/base/private-channel.ts", import.meta.url));

afterAll(() => childrenEnded());

/** Runs code in a child process that has a `channel`, and collects what comes through it until the process ends. */
async function received(code: string, messages: readonly unknown[] = []): Promise<readonly unknown[]> {
  const preamble = `
    import { writeSync } from "node:fs";
    import { PrivateChannel } from ${JSON.stringify(MODULE)};
    const channel = await PrivateChannel.toParent();
    const end = () => process.exit(0);`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", preamble + code], {
    stdio: [...channelStdio("inherit")],
  });
  const channel = PrivateChannel.toChild(child);
  const all: unknown[] = [];
  channel.onMessage((message) => all.push(message));
  for (const message of messages) channel.send(message);
  await once(child, "close");
  return all;
}

test("messages of both sides arrive complete and in order, even large ones", async () => {
  const large = "ä".repeat(300_000);
  const echo = `let left = 3; channel.onMessage((m) => channel.send({ echo: m }, () => --left || end()));`;
  const sent = [{ a: 1 }, large, ["\n", null]];
  expect(await received(echo, sent)).toEqual(sent.map((message) => ({ echo: message })));
});

test("text without the secret is ignored before, between and after messages", async () => {
  const code = `
    writeSync(3, "{\\"forged\\":1}\\n");
    writeSync(3, "x".repeat(100_000));
    channel.send(1);
    writeSync(3, "\\n\\n\\0\\n" + "0".repeat(32) + "2\\n");
    channel.send(3, () => { writeSync(3, "no end"); end(); });`;
  expect(await received(code)).toEqual([1, 3]);
});

test("processes that a task starts do not inherit the descriptor", async () => {
  const code = `
    import { spawnSync } from "node:child_process";
    const script = "try { require('node:fs').writeSync(3, 'x'); process.exit(1) } catch { process.exit(0) }";
    channel.send(spawnSync(process.execPath, ["--eval", script]).status, end);`;
  expect(await received(code)).toEqual([0]);
});

test("a child notices that its parent has ended", async () => {
  const child = spawn(
    process.execPath,
    [
      "--no-warnings",
      "--input-type=module",
      "--eval",
      `import { PrivateChannel } from ${JSON.stringify(MODULE)};
       (await PrivateChannel.toParent()).onClose(() => process.exit(9));`,
    ],
    { stdio: [...channelStdio("inherit")] },
  );
  PrivateChannel.toChild(child);
  (child.stdio[3] as unknown as { end(): void }).end();
  expect((await once(child, "close"))[0]).toBe(9);
});
