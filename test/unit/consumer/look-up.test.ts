import { describe, expect, test, vi } from "vitest";
import { LookUp, NoResultStoreError } from "../../../shared/consumer/look-up.ts";
import type { Envelope } from "../../../shared/messages/envelope.ts";
import type { ItemMessage } from "../../../shared/messages/item-message.ts";

const PENDING = { tag: "pending", failures: [], final: undefined, receives: new Map([[1, "failed"]]) };
const NEVER_SEEN = { tag: "pending", failures: [], final: undefined, receives: new Map() };

/** A look-up whose ledger and run watch answer what the test says. */
function lookUp(options: { resultStore?: object } = {}) {
  const itemStates = vi.fn(async (items: readonly unknown[]) => items.map(() => PENDING));
  const runWatch = { mode: vi.fn(async (_: string): Promise<string> => "run"), noteSent: vi.fn() };
  const found = new LookUp({
    workflow: { name: "test" },
    ledger: { itemStates } as never,
    runWatch: runWatch as never,
    now: () => 77,
    ...options,
  });
  return { found, itemStates, runWatch };
}

interface Changes extends Partial<Envelope> {
  readonly receiveCount?: number;
  readonly sentAt?: number;
}

const item = (index: number, { receiveCount = 1, sentAt, ...envelope }: Changes = {}): ItemMessage =>
  ({
    message: { id: `m${index}`, receiveCount, sentAt },
    envelope: { workflow: "test", run: "r", partition: 0, page: 0, index, epoch: 1, item: index, ...envelope },
  }) as unknown as ItemMessage;

describe("the look-up of items", () => {
  test("reads nothing of an item whose message comes for the first time", async () => {
    const { found, itemStates, runWatch } = lookUp();
    expect(await found.find([item(0, { sentAt: 5 })])).toEqual([
      { tag: "found", state: NEVER_SEEN, mode: "run", at: 77 },
    ]);
    expect(itemStates).not.toHaveBeenCalled();
    // The run had not ended when the message was sent.
    expect(runWatch.noteSent.mock.calls).toEqual([["r", 5]]);
  });

  test.each<[string, Changes]>([
    ["was received before", { receiveCount: 2 }],
    ["was sent again", { resent: true }],
    ["was redriven", { dead: { reason: "exhausted" } } as unknown as Changes],
  ])("reads the state of an item whose message %s", async (_, changes) => {
    const { found, itemStates, runWatch } = lookUp();
    const items = [item(0), item(1, { ...changes, sentAt: 5 }), item(2)];
    expect(await found.find(items)).toEqual([
      { tag: "found", state: NEVER_SEEN, mode: "run", at: 77 },
      { tag: "found", state: PENDING, mode: "run", at: 77 },
      { tag: "found", state: NEVER_SEEN, mode: "run", at: 77 },
    ]);
    expect(itemStates.mock.calls).toEqual([[[expect.objectContaining({ index: 1 })]]]);
    // When a message was sent says nothing about a run if it may be an old one.
    expect(runWatch.noteSent).not.toHaveBeenCalled();
  });

  test("asks once about each run", async () => {
    const { found, runWatch } = lookUp();
    runWatch.mode.mockImplementation(async (run) => (run === "r" ? "run" : "pause"));
    const modes = (await found.find([item(0), item(1, { run: "s" }), item(2)])).map((each) =>
      each.tag === "found" ? each.mode : each,
    );
    expect(modes).toEqual(["run", "pause", "run"]);
    expect(runWatch.mode.mock.calls).toEqual([["r"], ["s"]]);
  });

  test("fails for the items of a run that cannot be read", async () => {
    const { found, runWatch } = lookUp();
    const error = new Error("down");
    runWatch.mode.mockImplementation(async (run) => {
      if (run === "s") throw error;
      return "run";
    });
    expect(await found.find([item(0), item(1, { run: "s" })])).toEqual([
      { tag: "found", state: NEVER_SEEN, mode: "run", at: 77 },
      { tag: "failed", error },
    ]);
  });

  test("fails for the items that the ledger cannot be asked about, and not for the others", async () => {
    const { found, itemStates } = lookUp();
    const error = new Error("down");
    itemStates.mockRejectedValue(error);
    expect(await found.find([item(0), item(1, { receiveCount: 2 })])).toEqual([
      { tag: "found", state: NEVER_SEEN, mode: "run", at: 77 },
      { tag: "failed", error },
    ]);
    itemStates.mockResolvedValue([]);
    expect(await found.find([item(1, { receiveCount: 2 })])).toEqual([
      { tag: "failed", error: new Error("the ledger returned too few item states") },
    ]);
  });

  test("can ask about the run again, and fails if it cannot be read", async () => {
    const { found, runWatch } = lookUp();
    const before = { tag: "found", state: PENDING, mode: "run", at: 5 } as never;
    runWatch.mode.mockResolvedValueOnce("cancel");
    expect(await found.refresh(item(0), before)).toEqual({ tag: "found", state: PENDING, mode: "cancel", at: 77 });
    const error = new Error("down");
    runWatch.mode.mockRejectedValueOnce(error);
    expect(await found.refresh(item(0), before)).toEqual({ tag: "failed", error });
  });
});

describe("the error of a run with results, in code without them", () => {
  test("has a code and the run", () => {
    const error = new NoResultStoreError("r");
    expect([error.name, error.code, error.ids]).toEqual(["NoResultStoreError", "NO_RESULT_STORE", { run: "r" }]);
    expect(error.message).toContain("npx sluice cancel r");
  });
});
