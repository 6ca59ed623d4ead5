import { expect, test } from "vitest";
import { failedMessages } from "../../../local/lambda/event-source-mapping.ts";

const batch = ["a", "b", "c"];
const failedOf = (result: unknown) => [...failedMessages({ tag: "returned", result }, batch)].sort();
const items = (...identifiers: unknown[]) => ({
  batchItemFailures: identifiers.map((itemIdentifier) => ({ itemIdentifier })),
});

// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html, "Success and failure conditions"
test.each([
  ["an empty list", { batchItemFailures: [] }],
  ["a null list", { batchItemFailures: null }],
  ["an undefined list", { batchItemFailures: undefined }],
  ["an empty response", {}],
  ["a null response", null],
  ["no response", undefined],
])("%s is a full success", (_, result) => {
  expect(failedOf(result)).toEqual([]);
});

test.each([
  ["a string", "done"],
  ["a number", 200],
  ["a list that is none", { batchItemFailures: "a" }],
  ["a list that is an object", { batchItemFailures: { itemIdentifier: "a" } }],
  ["an empty identifier", items("")],
  ["a null identifier", items(null)],
  ["a missing identifier", { batchItemFailures: [{}] }],
  ["a numeric identifier", items(1)],
  ["an identifier under a wrong key", { batchItemFailures: [{ messageId: "a" }] }],
  ["an entry that is null", { batchItemFailures: [null] }],
  ["an entry that is a bare id", { batchItemFailures: ["a"] }],
  ["an id of another batch", items("a", "z")],
])("%s is a full failure", (_, result) => {
  expect(failedOf(result)).toEqual(batch);
});

test("a list names the messages that failed, once or twice", () => {
  expect(failedOf(items("b"))).toEqual(["b"]);
  expect(failedOf(items("c", "a", "c"))).toEqual(["a", "c"]);
  expect(failedOf(items("a", "b", "c"))).toEqual(batch);
});

test.each(["threw", "crashed", "timed out"] as const)("an invocation that %s is a full failure", (tag) => {
  expect([...failedMessages({ tag, error: "x" }, batch)]).toEqual(batch);
});
