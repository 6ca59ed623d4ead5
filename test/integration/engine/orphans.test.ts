import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { PATIENTLY } from "../../helpers/patience.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const patiently = { ...PATIENTLY, interval: 20 };

test("an environment in an endless loop ends when its engine is killed", async () => {
  using directory = temporaryDirectory();
  const entry = fileURLToPath(new URL("../../helpers/engine-process.ts", import.meta.url));
  const engine = fork(entry, ["spinning", directory.path, "r1"], {
    stdio: "inherit",
    execArgv: ["--no-warnings"],
    env: { ...process.env, MARKERS: directory.path },
  });
  const exited = once(engine, "exit");
  const marker = join(directory.path, "spins-in");
  await vi.waitUntil(() => existsSync(marker) && readFileSync(marker, "utf8") !== "", patiently);
  const pid = Number(readFileSync(marker, "utf8"));
  expect(isAlive(pid)).toBe(true);
  engine.kill("SIGKILL");
  await exited;
  await vi.waitUntil(() => !isAlive(pid), patiently);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has died is there until somebody has looked.
    return !existsSync(`/proc/${pid}/stat`) || !/ Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
