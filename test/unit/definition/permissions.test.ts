import { expect, test } from "vitest";
import { type Permission, parsePermissions } from "../../../shared/definition/permissions.ts";

const permission = { actions: ["s3:GetObject"], resources: ["arn:aws:s3:::invoices/*"] };
const parse = (changes: object) => parsePermissions([{ ...permission, ...changes } as Permission]);

test("a permission is for the consumer by default", () => {
  expect(parsePermissions([permission, { ...permission, function: "producer" }])).toEqual([
    { ...permission, function: "consumer", reason: undefined },
    { ...permission, function: "producer", reason: undefined },
  ]);
  expect(parsePermissions([])).toEqual([]);
});

test("an action must have its full name", () => {
  for (const action of ["*", "s3:*", "s3:Get*", "GetObject", "s3:", "", 5]) {
    expect(() => parse({ actions: ["s3:GetObject", action] })).toThrow(
      `permissions[0].actions must name each action in full, but has ${JSON.stringify(action)}`,
    );
  }
});

test("a resource must be an ARN, or * with a reason", () => {
  expect(() => parse({ resources: ["*"] })).toThrow(
    'permissions[0].resources contains "*", which grants the actions on all resources',
  );
  const reason = "Rekognition knows no resources.";
  expect(parse({ actions: ["rekognition:DetectLabels"], resources: ["*"], reason })).toMatchObject([{ reason }]);
  expect(() => parse({ resources: ["*"], reason: " " })).toThrow("permissions[0].reason must be a sentence");
  for (const resource of ["invoices", "arn:aws:s3", "arn:aws:s3:::", 5]) {
    expect(() => parse({ resources: [resource] })).toThrow(
      `permissions[0].resources must be ARNs, but has ${JSON.stringify(resource)}`,
    );
  }
});

test("empty lists and unknown options are refused", () => {
  expect(() => parse({ actions: [] })).toThrow(
    "permissions[0].actions must be a list of at least one string, but is []",
  );
  expect(() => parse({ resources: undefined })).toThrow(
    "permissions[0].resources must be a list of at least one string",
  );
  expect(() => parse({ effect: "Allow" })).toThrow('permissions[0] has the unknown option "effect"');
  expect(() => parse({ function: "task" })).toThrow('permissions[0].function must be "consumer" or "producer"');
  expect(() => parsePermissions(permission as never)).toThrow("permissions must be a list");
  expect(() => parsePermissions([null as never])).toThrow("permissions[0] must be an object of options");
});
