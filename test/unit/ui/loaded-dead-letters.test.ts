import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DeadLetter } from "../../../shared/dead-letters/read-dead-letter.ts";
import { LoadedDeadLetters } from "../../../ui/server/loaded-dead-letters.ts";
import { someDeadLetter } from "../../helpers/some-dead-letter.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

const deadLetter = (number: number, changes: Partial<DeadLetter> = {}): DeadLetter =>
  someDeadLetter(number, {
    id: `id-${number}`,
    run: "run-1",
    error: { name: "Error", message: `no ${number}` },
    fingerprint: { id: number % 3 === 0 ? "third" : "other", text: "Error: no <n>" },
    ...changes,
  });

function loaded(path: string): LoadedDeadLetters {
  const letters = new LoadedDeadLetters(join(path, "loaded.jsonl"));
  for (let number = 0; number < 10; number++) letters.add(deadLetter(number));
  return letters;
}

test("a page has the latest deaths first, and the groups of all that match", () => {
  using directory = temporaryDirectory();
  const letters = loaded(directory.path);
  const page = letters.page({ groups: ["third"] }, { offset: 1, limit: 2 });
  expect(page.rows.map(({ id }) => id)).toEqual(["id-6", "id-3"]);
  expect(page).toMatchObject({ loaded: 10, matching: 4, runs: ["run-1"], reasons: ["exhausted"] });
  expect(page.groups.map(({ key, count }) => [key, count])).toEqual([
    ["other", 6],
    ["third", 4],
  ]);
  expect(page.groups[1]).toMatchObject({
    name: "Error: no <n>",
    exampleError: "Error: no 0",
    exampleItem: '{"number":0}',
  });
  letters.close();
  expect(existsSync(join(directory.path, "loaded.jsonl"))).toBe(false);
});

test("a selection is of ids or of all that match, and never of what is not loaded", () => {
  using directory = temporaryDirectory();
  const letters = loaded(directory.path);
  expect([...letters.idsOf({ ids: ["id-2", "unknown"] })]).toEqual(["id-2"]);
  expect([...letters.idsOf({ filter: { text: "NO 7" } })]).toEqual(["id-7"]);
  letters.remove(["id-7"]);
  expect(letters.idsOf({ filter: { text: "no 7" } }).size).toBe(0);
  expect(letters.idsOf({}).size).toBe(9);
  letters.close();
});

test("a search finds what the row of a dead letter does not show, and a later load ends no search", () => {
  using directory = temporaryDirectory();
  const letters = loaded(directory.path);
  const long = { first: "x".repeat(500), last: "Ürümqi" };
  letters.add(deadLetter(30, { item: long }));
  letters.add(deadLetter(31, { error: { name: "Error", message: `${"y".repeat(500)}\n  at Bern` } }));
  const found = (text: string) => letters.page({ text }, { offset: 0, limit: 20 }).rows.map(({ id }) => id);
  expect(found("ürümqi")).toEqual(["id-30"]);
  expect(found("y at bern")).toEqual(["id-31"]);
  expect(found("error: no <n>")).toHaveLength(12);
  letters.add(deadLetter(32, { item: long }));
  expect([...letters.idsOf({ filter: { text: "ÜRÜMQI", groups: ["other"] } })]).toEqual(["id-32"]);
  expect(found("ürümqi")).toEqual(["id-32", "id-30"]);
  expect(letters.view("id-30")).not.toHaveProperty("searchBytes");
  letters.close();
});

test("a dead letter is read as it was loaded, with its bigints", () => {
  using directory = temporaryDirectory();
  const letters = loaded(directory.path);
  const large = deadLetter(20, { item: { id: 12_345_678_901_234_567n, text: "ü" } });
  letters.add(large);
  expect(letters.read("id-20")).toEqual(large);
  expect(letters.view("id-20")).toMatchObject({ isCut: false });
  expect(letters.view("id-20")?.itemText).toContain("12345678901234567");
  letters.add(deadLetter(21, { item: "x".repeat(1_048_576) }));
  expect(letters.view("id-21")).toMatchObject({ isCut: true });
  expect(letters.view("id-21")?.itemText.length).toBe(200_000);
  letters.close();
});
