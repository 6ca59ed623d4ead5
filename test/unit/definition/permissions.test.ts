import { expect, test } from "vitest";
import { type Permission, parsePermissions } from "../../../shared/definition/permissions.ts";

const permission = { actions: ["s3:GetObject"], resources: ["arn:aws:s3:::invoices/*"] };
const parse = (changes: object) => parsePermissions([{ ...permission, ...changes } as Permission]);

test("a permission is the consumer's, unless it says otherwise", () => {
  expect(parsePermissions([permission, { ...permission, function: "producer" }])).toEqual([
    { ...permission, function: "consumer", reason: undefined },
    { ...permission, function: "producer", reason: undefined },
  ]);
  expect(parsePermissions([])).toEqual([]);
});

test("an action is named in full", () => {
  for (const action of ["*", "s3:*", "s3:Get*", "GetObject", "s3:", "", 5]) {
    expect(() => parse({ actions: ["s3:GetObject", action] })).toThrow(
      `permissions[0].actions must name each action in full, but has ${JSON.stringify(action)}`,
    );
  }
});

test("a resource is an ARN, or everything with a reason", () => {
  expect(() => parse({ resources: ["*"] })).toThrow(
    'permissions[0].resources is "*", which grants the actions on all resources',
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

test("nothing is left empty, and nothing is unknown", () => {
  expect(() => parse({ actions: [] })).toThrow("permissions[0].actions must be a list of at least 1, but is []");
  expect(() => parse({ resources: undefined })).toThrow("permissions[0].resources must be a list of at least 1");
  expect(() => parse({ effect: "Allow" })).toThrow('permissions[0] has the unknown option "effect"');
  expect(() => parse({ function: "task" })).toThrow('permissions[0].function must be "consumer" or "producer"');
  expect(() => parsePermissions(permission as never)).toThrow("permissions must be a list");
  expect(() => parsePermissions([null as never])).toThrow("permissions[0] must be an object of options");
});
