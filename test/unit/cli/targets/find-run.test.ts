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

test("a run of any age is found by its id, and an unknown name finds nothing", async () => {
  expect(await chosen("skipped-1")).toBe("skipped-1");
  expect(await chosen("paris")).toBeUndefined();
});
