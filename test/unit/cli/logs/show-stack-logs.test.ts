import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { showStackLogs } from "../../../../cli/logs/show-stack-logs.ts";
import type { RunTarget, Target } from "../../../../cli/targets/target.ts";

let all: readonly Target[];
let target: RunTarget;
vi.mock("../../../../cli/targets/find-run.ts", () => ({
  targets: async function* () {
    yield* all;
  },
  withRun: async (_run: string, _options: object, work: (target: RunTarget) => Promise<unknown>) => await work(target),
}));

const OPTIONS = { stack: "shop", region: "us-east-1", error: false, follow: false, json: false };
const groupsOf = (name: string) => ({ producer: `${name}-producer`, consumer: `${name}-consumer` });

/** The log groups that were read, in this order. */
let asked: string[];
let answer: () => Response;

beforeEach(() => {
  asked = [];
  answer = () => Response.json({ events: [] });
  vi.stubGlobal("fetch", async (url: URL, { body }: { body: string }) => {
    expect(url.host).toBe("logs.us-east-1.amazonaws.com");
    asked.push(JSON.parse(body).logGroupName);
    return answer();
  });
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKID");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

/** A run that ended a minute ago. */
function endedRun(): void {
  const at = new Date(Date.now() - 60_000).toISOString();
  const run = { id: "r", workflow: "orders", status: "completed", requestedAt: at, completedAt: at };
  const services = { runs: { get: async () => run } };
  target = { workflow: "orders", stack: "shop", logGroups: groupsOf("orders"), services, run } as never;
}

const run = (more: object = {}) => showStackLogs("r", { ...OPTIONS, ...more }, new AbortController().signal);

test("without a run, -f reads the logs of all workflows of the stack", async () => {
  all = [{ logGroups: groupsOf("orders") }, { logGroups: groupsOf("mails") }] as never;
  const interrupted = new AbortController();
  answer = () => {
    if (asked.length === 4) interrupted.abort();
    return Response.json({ events: [] });
  };
  await showStackLogs(undefined, { ...OPTIONS, follow: true }, interrupted.signal).catch(() => {});
  expect(asked.toSorted()).toEqual(["mails-consumer", "mails-producer", "orders-consumer", "orders-producer"]);
});

test("-f of a run that has ended reads its log once, and says that the run has ended", async () => {
  endedRun();
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const event = { eventId: "1", timestamp: Date.now(), message: '{"level":"INFO","message":"hello","run":"r"}' };
  answer = () => Response.json({ events: asked.length === 1 ? [event] : [] });
  const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    expect(await run({ follow: true })).toBe(1);
    expect(said.mock.calls.join("").replaceAll(/\s+/g, " ")).toContain("npx sluice logs r --stack shop");
  } finally {
    said.mockRestore();
    printed.mockRestore();
  }
  expect(asked).toEqual(["orders-producer", "orders-consumer"]);
});

test("the error says which log group was deleted, and how to create it", async () => {
  endedRun();
  answer = () => Response.json({ __type: "ResourceNotFoundException", message: "no such group" }, { status: 400 });
  await expect(run()).rejects.toMatchObject({
    code: "AWS_UNREACHABLE",
    message: expect.stringMatching(
      /^the log group orders-producer does not exist: .* aws logs create-log-group --log-group-name orders-producer$/,
    ),
  });
});

test("the error names the right that is missing", async () => {
  endedRun();
  answer = () => Response.json({ __type: "AccessDeniedException", Message: "not you" }, { status: 400 });
  await expect(run()).rejects.toMatchObject({
    code: "AWS_UNREACHABLE",
    message: expect.stringMatching(
      /^the log group orders-producer cannot be read: AccessDeniedException: not you\. .*logs:FilterLogEvents/,
    ),
  });
});
