import { beforeEach, describe, expect, test } from "vitest";
import { chooseRun, latestAndActive, type RunChoice } from "../../../../cli/targets/find-run.ts";
import type { Target } from "../../../../cli/targets/target.ts";
import { Ledger } from "../../../../shared/ledger/ledger.ts";
import { hasEnded } from "../../../../shared/ledger/run-record.ts";
import type { Runs } from "../../../../shared/ledger/runs.ts";
import { MemoryStore } from "../../../helpers/memory-store.ts";

const at = (minute: number) => new Date(Date.UTC(2026, 10, 27, 0, minute)).toISOString();
const of = (id: string, minute: number) => ({ id, workflow: "cities", requestedAt: at(minute) });

let runs: Runs;
const target = () => ({ workflow: "cities", name: "./cities.ts", services: { runs } }) as unknown as Target;
const chosen = async (runOrWorkflow: string | undefined, which: RunChoice = {}) =>
  (await chooseRun(target(), runOrWorkflow, which))?.id;

beforeEach(async () => {
  runs = new Ledger(new MemoryStore()).runs;
  const active = await runs.create(of("active", 0));
  for (let minute = 1; minute <= 700; minute++) await runs.skip(of(`skipped-${minute}`, minute), active);
});

describe("an active run that is older than 700 skipped runs", () => {
  test.each(["cities", "./cities.ts", "active"])("is chosen by the name %s", async (name) => {
    expect(await chosen(name)).toBe("active");
    expect(await chosen(name, { prefers: ({ status }) => status === "running" })).toBe("active");
  });

  test("is chosen if the user names nothing", async () => {
    expect(await chosen(undefined)).toBe("active");
  });

  test("is listed with the latest runs", async () => {
    expect((await latestAndActive(runs, 2)).map(({ id }) => id)).toEqual(["skipped-700", "skipped-699", "active"]);
  });

  test("is preferred to a later run that has ended, by a command that needs an active run", async () => {
    const later = await runs.create(of("later", 800));
    await runs.progress.checkpoint(later, { ...later.checkpoint, ended: true });
    expect(await chosen("cities", { prefers: (run) => !hasEnded(run) })).toBe("active");
    expect(await chosen("cities")).toBe("later");
  });

  test("is still the workflow's latest run that was not skipped once it has ended; without a name, no run is chosen", async () => {
    const run = await runs.get("active");
    await runs.progress.checkpoint(run, { ...run.checkpoint, ended: true });
    expect(await chosen("cities")).toBe("active");
    expect(await chosen(undefined)).toBeUndefined();
  });
});

describe("a workflow whose runs were all skipped", () => {
  const commands: [string, RunChoice][] = [
    ["pause", { prefers: ({ status }) => status === "running" }],
    ["cancel", { prefers: (run) => !hasEnded(run) }],
    ["resume", { prefers: async (run) => !hasEnded(run), accepts: async (run) => !hasEnded(run) }],
  ];

  beforeEach(async () => {
    const other = new Ledger(new MemoryStore()).runs;
    const active = await other.create(of("active", 0));
    runs = new Ledger(new MemoryStore()).runs;
    for (let minute = 1; minute <= 3; minute++) await runs.skip(of(`skipped-${minute}`, minute), active);
  });

  test.each(commands)("has no run that the command %s could mean by the workflow's name", async (_, choice) => {
    expect(await chosen("cities", choice)).toBeUndefined();
    expect(await chosen("./cities.ts", choice)).toBeUndefined();
  });

  test("still shows its latest run to the command status, and any run by its id", async () => {
    expect(await chosen("cities", { showsSkipped: true })).toBe("skipped-3");
    for (const [, choice] of commands) expect(await chosen("skipped-2", choice)).toBe("skipped-2");
  });
});

describe("a scheduled run that has not begun, because it may still be skipped", () => {
  const running: RunChoice = { prefers: ({ status }) => status === "running" };

  beforeEach(async () => {
    // The producer wrote the run's row, and has not found the active run yet.
    await runs.create({ ...of("undecided", 900), exclusive: true });
  });

  test("is not meant by the workflow's name, and not by a command without a name", async () => {
    expect(await chosen("cities", running)).toBe("active");
    expect(await chosen(undefined, running)).toBe("active");
  });

  test("is meant once it is the active run", async () => {
    const active = await runs.get("active");
    await runs.progress.checkpoint(active, { ...active.checkpoint, ended: true });
    await runs.active.enterAlone(await runs.get("undecided"));
    expect(await chosen("cities", running)).toBe("undecided");
  });
});

test("a run of any age is found by its id, and an unknown name finds nothing", async () => {
  expect(await chosen("skipped-1")).toBe("skipped-1");
  expect(await chosen("paris")).toBeUndefined();
});
