import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { deadLetterDetails, deadLetterHeadline } from "../../../../cli/screens/dlq/dead-letter-details.ts";
import { deadLetterTable } from "../../../../cli/screens/dlq/dead-letter-table.ts";
import { groupTable } from "../../../../cli/screens/dlq/group-table.ts";
import { scanNotes } from "../../../../cli/screens/dlq/scan-notes.ts";
import type { Failure } from "../../../../shared/base/failure.ts";
import { DeadLetterGroups } from "../../../../shared/dead-letters/groups.ts";
import { type DeadLetter, toDeadLetter } from "../../../../shared/dead-letters/read-dead-letter.ts";

const failure = (attempt: number, changes: Partial<Failure> = {}): Failure => ({
  attempt,
  at: `2026-11-25T08:00:0${attempt}.000Z`,
  durationMilliseconds: 33,
  kind: "threw",
  name: "Error",
  message: 'the service answered 500: {"error":"the record cannot be read"}',
  stack: "Error: the service answered 500\n    at task (/srv/sluice/workflows/cities.ts:18:37)",
  ...changes,
});

function deadLetterOf(envelope: object | string, changes: Partial<DeadLetter> = {}): DeadLetter {
  const message = {
    id: "3b30c9f4-90d9-47a8-b7fa-6c4b1a0caf10",
    receiptHandle: "",
    body: typeof envelope === "string" ? envelope : JSON.stringify(envelope),
    receiveCount: 2,
    attributes: {},
    systemAttributes: { SentTimestamp: String(Date.now() - 180_500) },
  };
  return { ...toDeadLetter(message, 1_209_600), ...changes };
}

const envelope = {
  sluice: 1,
  workflow: "cities",
  run: "20261125-075409-792e",
  page: 22,
  index: 116,
  epoch: 1,
  item: { id: 339219, name: "Desē", country: "ET" },
};

const died = (failures: readonly Failure[], dead: object = {}) =>
  deadLetterOf({
    ...envelope,
    dead: { reason: "exhausted", at: new Date(Date.now() - 180_500).toISOString(), redrives: 0, failures, ...dead },
  });

const plain = (text: string) => stripVTControlCharacters(text).split("\n");

describe("groups of dead letters", () => {
  const groups = new DeadLetterGroups("error");
  for (let id = 0; id < 1_200; id++) groups.add(died([failure(1)]));
  const [group] = groups.sorted;

  test("have their example below the error on 80 columns", () => {
    expect(plain(groupTable(groups.sorted, "error", 80))).toEqual([
      "COUNT  REASON     ERROR                                           LAST SEEN",
      '1,200  exhausted  Error: the service answered 500: {"error":"the  3 min ago',
      '                  record cannot be read"}',
      `                  first seen 3 min ago · group ${group?.key}`,
      '                  e.g. 3b30c9f4 {"id":339219,"name":"Desē","country":"ET"}',
    ]);
  });

  test("are two lines each on 80 columns if they are dense", () => {
    expect(plain(groupTable(groups.sorted, "error", 80, true))).toEqual([
      "COUNT  REASON     ERROR                                                LAST SEEN",
      '1,200  exhausted  Error: the service answered 500: {"error":"the rec…  3 min ago',
      `                  group ${group?.key} · e.g. 3b30c9f4 {"id":339219,"name":"Desē","co…`,
    ]);
    const one = died([failure(1)]);
    expect(plain(deadLetterTable([one, one], 80, true))).toHaveLength(3);
  });

  test("are one line each on 200 columns", () => {
    const [header = "", row = "", ...rest] = plain(groupTable(groups.sorted, "error", 200));
    expect(header.split(/ {2,}/)).toEqual(["COUNT", "REASON", "ERROR", "FIRST SEEN", "LAST SEEN", "EXAMPLE", "GROUP"]);
    expect(row.trim().split(/ {2,}/)).toEqual([
      "1,200",
      "exhausted",
      'Error: the service answered 500: {"error":"the record cannot be read"}',
      "3 min ago",
      "3 min ago",
      '3b30c9f4 {"id":339219,"name":"Desē","country":"ET"}',
      group?.key,
    ]);
    expect(rest).toEqual([]);
  });

  test("and dead letters each for itself have their item below their error, or beside it", () => {
    expect(
      plain(deadLetterTable([died([failure(1)])], 80))
        .at(-1)
        ?.trim(),
    ).toBe('{"id":339219,"name":"Desē","country":"ET"}');
    expect(plain(deadLetterTable([died([failure(1)])], 200))).toHaveLength(2);
  });
});

describe("a dead letter", () => {
  test("shows an error that repeats once, and each stack once", () => {
    const deadLetter = died([
      failure(1),
      failure(2),
      failure(3, { kind: "timed out", name: "TaskTimeoutError", stack: "other" }),
    ]);
    const text = plain(deadLetterDetails(deadLetter, "cities on this machine", undefined, { width: 100 })).join("\n");
    expect(text).toContain("  run         20261125-075409-792e, which is not in the ledger\n");
    expect(text).toContain("  item        page 22, index 116\n");
    expect(text).toMatch(/\n +2 {2}2026-11-25T08:00:02\.000Z {2}33 ms {2}threw {6}the same\n/);
    expect(text).toMatch(/\n +3 {2}2026-11-25T08:00:03\.000Z {2}33 ms {2}timed out {2}TaskTimeoutError: /);
    expect(text).toContain("\nStack of attempt 3\n  other\n");
    expect(text).toContain("\nStack of attempts 1, 2\n  Error: the service answered 500\n      at task (");
  });

  test("is cut on a terminal: its error, its item and its stacks, and says how many lines are missing", () => {
    const message = `refused\n${Array.from({ length: 40 }, (_, line) => `detail ${line}`).join("\n")}`;
    const stack = `Error: ${message}\n${Array.from({ length: 9 }, (_, line) => `    at frame${line} (a.ts:1:2)`).join("\n")}`;
    const failures = Array.from({ length: 9 }, (_, index) => failure(index + 1, { message, stack }));
    const deadLetter = died(failures);
    const place = "cities on this machine";
    const short = plain(deadLetterDetails(deadLetter, place, undefined, { width: 80, isShort: true })).join("\n");
    expect(short).toContain("\nError\n  Error: refused\n  detail 0\n");
    expect(short).toContain("\n  detail 5\n… 34 more lines\n");
    expect(short).not.toContain("  detail 6\n");
    expect(short).toContain("\nAttempts\n  … 4 earlier attempts\n");
    expect(short).toMatch(/\n +5 {2}2026-\S+ {2}33 ms {2}threw {2}Error: refused detail 0/);
    // The message stands above the stack, so the stack has only its first line.
    expect(short).toContain("\n  Error: refused\n      at frame0 (a.ts:1:2)\n");
    expect(short).toMatch(/frame3 \(a\.ts:1:2\)\n… 5 more lines$/);
    const whole = plain(deadLetterDetails(deadLetter, place, undefined, { width: 80 })).join("\n");
    for (const text of ["detail 39", "frame8", "\n        1  2026-"]) expect(whole).toContain(text);
    expect(whole).not.toContain("more lines");
  });

  test("has a headline of two lines: which one it is, and why it died", () => {
    const deadLetter = died([failure(1, { message: `refused\n${"because ".repeat(40)}` })]);
    const [first, second = "", ...rest] = plain(deadLetterHeadline(deadLetter, 80));
    expect(first).toBe(`Dead letter ${deadLetter.id}  exhausted`);
    expect(second).toMatch(/^Error: refused because because .*…$/);
    expect(second).toHaveLength(80);
    expect(rest).toEqual([]);
  });

  test("whose item was too large says so, and shows the start of the item", () => {
    const deadLetter = deadLetterOf({
      ...envelope,
      item: '{"text":"xxx',
      dead: {
        reason: "too large",
        at: "2026-11-25T08:00:00.000Z",
        redrives: 0,
        failures: [failure(0)],
        truncated: true,
      },
    });
    expect(
      plain(deadLetterDetails(deadLetter, "cities on this machine", undefined, { width: 80 })).join("\n"),
    ).toContain('Item (only the start: the whole was too large, or not JSON)\n  {"text":"xxx\n');
  });

  test("that waited too long shows its waits", () => {
    const note = (at: string, milliseconds: number) => ({
      at: `2026-11-25T0${at}:00.000Z`,
      name: "Throttled",
      message: "the service answered 429",
      milliseconds,
    });
    const throttled = { count: 1_440, first: note("7:00", 30_000), last: note("8:00", 300_000) };
    const waits = { milliseconds: 86_400_000, throttled };
    const lines = plain(
      deadLetterDetails(died([], { reason: "waited too long", waits }), "here", undefined, { width: 140 }),
    );
    const [title, ...rest] = lines.slice(lines.findIndex((line) => line.startsWith("Waits")));
    expect(title).toBe("Waits (24 h in all, and another 5 min was too long)");
    expect(rest).toEqual([
      "  WAIT       COUNT  FIRST                     LAST                      LASTS  ERROR",
      "  throttled  1,440  2026-11-25T07:00:00.000Z  2026-11-25T08:00:00.000Z  5 min  Throttled: the service answered 429",
    ]);
    expect(lines).toContain("Throttled: the service answered 429".padStart(37));
    expect(lines).toContain("  none failed");
  });

  test("that SQS moved has no history, and says where it came from", () => {
    const deadLetter = deadLetterOf(envelope, { movedFrom: "arn:aws:sqs:us-east-1:000000000000:cities" });
    const text = plain(deadLetterDetails(deadLetter, "cities on stack sluice-cities", undefined, { width: 120 })).join(
      "\n",
    );
    expect(text).toContain("the original message: SQS moved it here, because no consumer recorded an outcome");
    expect(text).toContain("  moved by SQS  from arn:aws:sqs:us-east-1:000000000000:cities");
    expect(text).toContain("\nAttempts\n  none was recorded");
  });

  test("cannot control the terminal with anything in it", () => {
    const evil = "\u001b[2J\u009b31m\u202e";
    const deadLetter = deadLetterOf(
      {
        ...envelope,
        run: evil,
        item: { [evil]: evil },
        dead: {
          reason: "exhausted",
          at: evil,
          redrives: 0,
          failures: [failure(1, { name: evil, message: evil, stack: evil, at: evil })],
        },
      },
      { attributes: { [evil]: { dataType: evil, stringValue: evil } }, movedFrom: evil },
    );
    const groups = new DeadLetterGroups("run");
    groups.add(deadLetter);
    const screens = [
      deadLetterDetails(deadLetter, "cities", undefined, { width: 80 }),
      groupTable(groups.sorted, "run", 80),
      groupTable(groups.sorted, "run", 200),
      deadLetterTable([deadLetter], 80),
    ];
    // Colours are off without a terminal, so any control character comes from the dead letter.
    for (const screen of screens) expect(screen.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
  });
});

describe("a scan of the dead-letter queue", () => {
  const all = { looked: 15, heldElsewhere: 0, approximate: false, complete: true, stoppedBy: undefined } as const;
  const notes = (...args: Parameters<typeof scanNotes>) =>
    scanNotes(...args).map((note) => stripVTControlCharacters(note));

  test("has no notes if it read everything", () => {
    expect(notes(all, {}, new Date(Date.now() + 10 * 86_400_000).toISOString())).toEqual([]);
  });

  test("says what it could not read, and what SQS deletes soon", () => {
    expect(notes({ ...all, heldElsewhere: 1 }, {})).toEqual([
      "note 1 more dead letter is held by another command, which is still running or was killed. Run this command again when the other command has ended. If it was killed, SQS makes the dead letter visible again within ten minutes.",
    ]);
    expect(notes({ ...all, heldElsewhere: 80, approximate: true }, {})).toEqual([
      "note About 80 more dead letters are held by another command, or left the queue just now: SQS's counts are approximate, and lag by a minute or more. Run this command again in a few minutes.",
    ]);
    expect(notes({ ...all, looked: 120_000, stoppedBy: "in-flight limit" }, {})).toEqual([
      expect.stringMatching(
        /^note Only 120,000 dead letters could be read: SQS allows about 120,000 messages in flight at once\./,
      ),
    ]);
    expect(notes({ ...all, stoppedBy: "interruption" }, {})).toEqual([
      "note Interrupted after 15 dead letters: there may be more.",
    ]);
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    expect(notes(all, {}, soon)).toEqual([
      `note SQS deletes the oldest at ${soon}. Keep them with: npx sluice dlq export`,
    ]);
  });
});
