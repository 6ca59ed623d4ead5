import { describe, expect, test } from "vitest";
import { checkPartitions } from "../../../shared/producer/partition-list.ts";
import { MOST_PARTITIONS } from "../../../shared/sources/partition-limits.ts";

const many = (count: number) => Array.from({ length: count }, (_, number) => ({ id: String(number) }));

describe("A list of partitions", () => {
  test("may have cursors, and one partition", () => {
    expect(checkPartitions([{ id: "a", cursor: { from: 1 } }])).toEqual([{ id: "a", cursor: { from: 1 } }]);
    expect(
      checkPartitions([
        { id: "a", cursor: null },
        { id: "b", cursor: undefined },
      ]),
    ).toEqual([{ id: "a" }, { id: "b" }]);
  });

  test(`has at most ${MOST_PARTITIONS} partitions`, () => {
    expect(checkPartitions(many(MOST_PARTITIONS))).toHaveLength(MOST_PARTITIONS);
    expect(() => checkPartitions(many(MOST_PARTITIONS + 1))).toThrow("returned 10001 partitions: return at most 10000");
  });

  test("has ids of up to 200 characters, and cursors of up to 2 KB", () => {
    expect(checkPartitions([{ id: "x".repeat(200), cursor: "y".repeat(2_046) }])).toHaveLength(1);
    expect(() => checkPartitions([{ id: "x".repeat(201) }])).toThrow("an id is a text of 1 to 200 characters");
    expect(() => checkPartitions([{ id: "a", cursor: "y".repeat(2_047) }])).toThrow(
      "a cursor of 2049 bytes: the cursor of a partition has at most 2048 bytes as JSON text",
    );
  });

  test.each<[string, unknown, string]>([
    ["no array", undefined, "returned undefined, which is not an array"],
    [
      "an empty list",
      [],
      "returned no partition, which does not say that the source is empty: return at least one partition, and an empty " +
        "last page from pages",
    ],
    ["two equal ids", [{ id: "a" }, { id: "b" }, { id: "a" }], 'returned two partitions with the id "a"'],
    ["no partition", ["a"], 'returned "a" in the list'],
    ["null", [null], "returned null in the list"],
    ["a long text", "x".repeat(200), `returned "${"x".repeat(99)}, which is not an array`],
    ["a long text in it", ["x".repeat(200)], `returned "${"x".repeat(99)} in the list`],
    ["a long id", [{ id: "x".repeat(300) }], `whose id is "${"x".repeat(99)}: an id`],
    ["no id", [{ cursor: 1 }], "returned a partition whose id is undefined"],
    ["an empty id", [{ id: "" }], 'returned a partition whose id is ""'],
    ["a misspelt key", [{ id: "a", curser: 1 }], 'returned the partition "a" with the key "curser"'],
  ])("is refused for good if it is or has %s", (_, list, message) => {
    expect(() => checkPartitions(list)).toThrow(message);
    expect(() => checkPartitions(list)).toThrow(expect.objectContaining({ permanent: true }));
  });
});
