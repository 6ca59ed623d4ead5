import { beforeEach, describe, expect, test } from "vitest";
import { findMeant, latestAndActive, type Meant } from "../../../../cli/targets/find-run.ts";
import type { Target } from "../../../../cli/targets/target.ts";
import { MemoryStore } from "../../../../shared/ledger/memory-store.ts";
import { hasEnded } from "../../../../shared/ledger/run-record.ts";
import { Runs } from "../../../../shared/ledger/runs.ts";

const at = (minute: number) => new Date(Date.UTC(2026, 10, 27, 0, minute)).toISOString();
const of = (id: string, minute: number) => ({ id, workflow: "cities", requestedAt: at(minute) });

let runs: Runs;
const target = () => ({ workflow: "cities", name: "./cities.ts", services: { runs } }) as unknown as Target;
const meant = async (runOrWorkflow: string | undefined, which: Meant = {}) =>
  (await findMeant(target(), runOrWorkflow, which))?.id;

beforeEach(async () => {
  runs = new Runs(new MemoryStore());
  const active = await runs.create(of("active", 0));
  for (let minute = 1; minute <= 700; minute++) await runs.skip(of(`skipped-${minute}`, minute), active);
});

describe("behind 700 runs that were skipped for it, the active run", () => {
  test.each(["cities", "./cities.ts", "active"])("is meant by %s", async (name) => {
    expect(await meant(name)).toBe("active");
    expect(await meant(name, { prefers: ({ status }) => status === "running" })).toBe("active");
  });

  test("is meant by nothing", async () => {
    expect(await meant(undefined)).toBe("active");
  });

  test("is listed with the latest", async () => {
    expect((await latestAndActive(runs, 2)).map(({ id }) => id)).toEqual(["skipped-700", "skipped-699", "active"]);
  });

  test("is preferred to a later one that has ended, by a command for which the later one is of no use", async () => {
    const later = await runs.create(of("later", 800));
    await runs.checkpoint(later, { ...later.checkpoint, ended: true });
    expect(await meant("cities", { prefers: (run) => !hasEnded(run) })).toBe("active");
    expect(await meant("cities")).toBe("later");
  });

  test("has ended: then it is still the workflow's latest that was not skipped, and none is meant by nothing", async () => {
    const run = await runs.get("active");
    await runs.checkpoint(run, { ...run.checkpoint, ended: true });
    expect(await meant("cities")).toBe("active");
    expect(await meant(undefined)).toBeUndefined();
  });
});

test("A run is found by its id, however old it is, and nothing by what is neither a run nor the workflow", async () => {
  expect(await meant("skipped-1")).toBe("skipped-1");
  expect(await meant("paris")).toBeUndefined();
});
