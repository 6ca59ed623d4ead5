import { expect, test } from "vitest";
import { page } from "../../helpers/pages.ts";

/** The rows of the table under "What the commands need": the task of the operator, and the rights. */
const rows = (() => {
  const [, section = ""] = page("docs/guides/deploy.md").text.split("\n## What the commands need\n");
  const [table = ""] = section.split("\n## ");
  const lines = table.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
  return lines.slice(1).map((line) =>
    line
      .split("|")
      .slice(1, 3)
      .map((cell) => cell.trim()),
  );
})();

const rightsOf = (task: string): string => rows.find(([name]) => name === task)?.[1] ?? "";

test("the rights of operators name both actions of KMS that a queue with a key of its own needs", () => {
  const rights = rightsOf("any of these on queues with your own key (`encryptionKey`)");
  // Sending needs both actions, receiving needs `kms:Decrypt`.
  // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
  expect(rights).toMatch(/`kms:Decrypt`.*receive/);
  expect(rights).toMatch(/`kms:GenerateDataKey`.*send/);
});

test("the table names each action in full", () => {
  const actions = rows.flatMap(([, rights = ""]) => [...rights.matchAll(/`([a-z]+:[^`]+)`/g)].map(([, each]) => each));
  expect(actions.length).toBeGreaterThan(15);
  expect(actions.filter((action) => !/^[a-z]+:[A-Z][A-Za-z]+$/.test(action ?? ""))).toEqual([]);
});
