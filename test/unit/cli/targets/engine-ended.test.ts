import { createServer } from "node:http";
import { expect, test } from "vitest";
import { whileEngineRuns } from "../../../../cli/targets/engine-ended.ts";
import type { Target } from "../../../../cli/targets/target.ts";

const beside = { workflow: "cities", running: true, local: {} } as Target;

/** An address on which no server listens any more. */
async function closed(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

test("the end of another command, with its queues, is reported instead of a refused connection", async () => {
  const url = await closed();
  await expect(whileEngineRuns(beside, () => fetch(url))).rejects.toMatchObject({
    code: "ENGINE_ENDED",
    message: expect.stringMatching(
      /^the command that ran cities has ended, and its queues have closed\. .*Run this command again$/,
    ),
  });
});

test("other errors are not changed", async () => {
  const url = await closed();
  const ours = { ...beside, running: false };
  await expect(whileEngineRuns(ours, () => fetch(url))).rejects.toThrow("fetch failed");
  await expect(whileEngineRuns(beside, () => Promise.reject(new RangeError("no")))).rejects.toThrow(RangeError);
  await expect(whileEngineRuns(beside, async () => 5)).resolves.toBe(5);
});
