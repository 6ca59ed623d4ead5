import { describe, expect, test } from "vitest";
import type { PendingState } from "../../../shared/consumer/attempts/receive-history.ts";
import { nextStep, type Situation } from "../../../shared/consumer/outcomes/next-step.ts";
import { envelopeBody, parseEnvelope } from "../../../shared/messages/envelope.ts";
import type { ItemMessage } from "../../../shared/messages/item-message.ts";
import { failureOf } from "../../helpers/failures.ts";

const NOW = 1_000_000;

function itemOf(receiveCount = 1): ItemMessage {
  const header = { workflow: "test", run: "r", partition: 0, page: 0, epoch: 1, resent: false };
  const body = envelopeBody(header, 0, '"a"');
  const message = { id: "m", receiptHandle: "h", body, receiveCount, attributes: {} };
  return { message, envelope: parseEnvelope(body) };
}

const pending = (changes: Partial<PendingState> = {}): PendingState => ({
  tag: "pending",
  failures: [],
  final: undefined,
  receives: new Map(),
  ...changes,
});

const situation = (changes: Partial<Situation> = {}): Situation => ({
  item: itemOf(),
  state: pending(),
  mode: "work",
  pausedMilliseconds: 0,
  now: NOW,
  attempts: 3,
  ...changes,
});

const waitingUntil = (until: number) => pending({ waits: { until } as NonNullable<PendingState["waits"]> });
const failed = (count: number) =>
  pending({ failures: Array.from({ length: count }, (_, attempt) => failureOf(new Error("no"), attempt + 1)) });

test("An item without an outcome gets an attempt", () => {
  const state = failed(2);
  expect(nextStep(situation({ state }))).toEqual({ tag: "attempt", state });
});

describe("An item gets no attempt", () => {
  const late = { now: NOW, beginsBy: NOW - 1 };
  test.each<[string, Partial<Situation>, object]>([
    ["that is settled", { state: { tag: "settled" } }, { tag: "settled" }],
    ["whose page has another content now", { state: { tag: "stale" } }, { tag: "stale" }],
    ["whose run is unknown", { state: { tag: "unknown" } }, { tag: "foreign" }],
    ["whose death is decided", { state: pending({ final: "permanent" }) }, { tag: "dead", reason: "permanent" }],
    ["whose attempts are used up", { state: failed(3) }, { tag: "dead", reason: "exhausted" }],
    ["whose run is stopped", { mode: "drain" }, { tag: "cancelled" }],
    ["whose run was just paused", { mode: "pause" }, { tag: "returned", afterMilliseconds: 5_000 }],
    [
      "whose run was paused an hour ago",
      { mode: "pause", pausedMilliseconds: 3_600_000 },
      { tag: "returned", afterMilliseconds: 600_000 },
    ],
    ["that waits", { state: waitingUntil(NOW + 1_001) }, { tag: "returned", afterMilliseconds: 1_001 }],
    ["in a retired environment", { isRetired: true }, { tag: "returned", afterMilliseconds: 0 }],
    ["that comes too late", late, { tag: "returned", afterMilliseconds: 0 }],
    [
      "that comes too late for the third time",
      { ...late, item: itemOf(3) },
      { tag: "returned", afterMilliseconds: 4_000 },
    ],
  ])("%s", (_, changes, expected) => {
    expect(nextStep(situation(changes))).toMatchObject(expected);
  });

  test("is decided in this order: death, pause, wait, retirement", () => {
    const all: Partial<Situation> = { mode: "pause", isRetired: true, beginsBy: NOW - 1 };
    expect(nextStep(situation({ ...all, state: failed(3) })).tag).toBe("dead");
    const waits = { ...all, state: waitingUntil(NOW + 60_000) };
    expect(nextStep(situation(waits))).toMatchObject({ tag: "returned", afterMilliseconds: 5_000 });
    expect(nextStep(situation({ ...waits, mode: "work" }))).toMatchObject({ afterMilliseconds: 60_000 });
  });
});

test("An attempt may begin a second before the end of a wait, and at the last moment for it", () => {
  expect(nextStep(situation({ state: waitingUntil(NOW + 1_000), beginsBy: NOW })).tag).toBe("attempt");
});
