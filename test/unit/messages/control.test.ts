import { expect, test } from "vitest";
import { MalformedMessageError } from "../../../shared/base/errors.ts";
import { continueEntry, parseControlMessage, startEntry } from "../../../shared/messages/control.ts";

test("a start is grouped with the continuations of its run, and two of one run are one", () => {
  const start = { workflow: "cities", run: "r1", requestedAt: "2026-01-01T00:00:00Z", limit: 5 };
  const entry = startEntry(start);
  expect(parseControlMessage(entry.body)).toEqual({ sluice: 1, type: "start", ...start });
  expect(entry.group).toBe(continueEntry({ workflow: "cities", run: "r1", hop: 1 }).group);
  expect(startEntry(start).deduplicationId).toBe(entry.deduplicationId);
  expect(startEntry({ ...start, run: "r2" }).deduplicationId).not.toBe(entry.deduplicationId);
});

test("starts by a schedule follow each other", () => {
  const start = { workflow: "cities", requestedAt: "2026-01-01T00:00:00Z", scheduled: true } as const;
  for (const run of ["monday", "tuesday"]) expect(startEntry({ ...start, run }).group).toBe("cities");
});

test("a continuation is grouped by run, and each hop is another", () => {
  const entry = continueEntry({ workflow: "cities", run: "r1", hop: 3 });
  expect(parseControlMessage(entry.body)).toEqual({
    sluice: 1,
    type: "continue",
    workflow: "cities",
    run: "r1",
    hop: 3,
  });
  expect(entry).toMatchObject({ group: "r1", deduplicationId: "continue-r1-3" });
});

test.each([
  "",
  "null",
  "{}",
  '{"sluice":1,"type":"stop"}',
  '{"sluice":1,"type":"continue","workflow":"w","run":"r"}',
  '{"sluice":1,"type":"continue","workflow":"w","run":"r","hop":0}',
  '{"sluice":1,"type":"start","workflow":"w","run":"r","requestedAt":"x","limit":0}',
  '{"sluice":1,"type":"start","workflow":"w","run":"r","requestedAt":"x","colour":"red"}',
  '{"sluice":0,"type":"continue","workflow":"w","run":"r","hop":1}',
])("%s is no control message", (body) => {
  expect(() => parseControlMessage(body)).toThrow(MalformedMessageError);
});
