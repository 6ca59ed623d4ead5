import type { Stack } from "aws-cdk-lib";
import { Key } from "aws-cdk-lib/aws-kms";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { StringParameter } from "aws-cdk-lib/aws-ssm";
import { expect, test, vi } from "vitest";
import { actionsOf, type Statement, synthesise } from "./synthesis.ts";

// Each template takes half a second, and several where cores are shared.
vi.setConfig({ testTimeout: 600_000 });

const KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-4000-8000-0123456789ab";
const SECRET_ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/api-key-a1B2c3";
const READS = ["secretsmanager:GetSecretValue", "ssm:GetParameter"];

type Template = ReturnType<typeof synthesise>["template"];

/** The variables about secrets of both functions, which must be the same. */
function secretVariables(template: Template): Record<string, unknown> {
  const functions = Object.values(template.findResources("AWS::Lambda::Function"));
  const [first, second] = functions.map(({ Properties }) =>
    Object.fromEntries(
      Object.entries(Properties.Environment.Variables).filter(([name]) => name.startsWith("SLUICE_SECRET_")),
    ),
  );
  expect(functions).toHaveLength(2);
  expect(second).toEqual(first);
  return first ?? {};
}

/** The statements about secrets of the roles of both functions, which must be the same. */
function secretStatements(template: Template): readonly Statement[] {
  const ofRole = (role: string) =>
    Object.values(template.findResources("AWS::IAM::Policy"))
      .filter(({ Properties }) => Properties.Roles.some(({ Ref }: { Ref: string }) => Ref.startsWith(`FanOut${role}`)))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as (Statement & { Condition?: unknown })[])
      .filter((statement) => actionsOf(statement).some((action) => READS.includes(action) || statement.Condition));
  expect(ofRole("Producer")).toEqual(ofRole("Consumer"));
  return ofRole("Consumer");
}

test("without secrets, the functions have no variable and no right for one", () => {
  const { template } = synthesise();
  expect(secretVariables(template)).toEqual({});
  expect(secretStatements(template)).toEqual([]);
});

test("a secret by its name is named to both functions, which may read exactly it", () => {
  const { template } = synthesise({ options: { secrets: { API_KEY: "shop/api-key" } } });
  expect(secretVariables(template)).toEqual({ SLUICE_SECRET_API_KEY: "shop/api-key" });
  const resource = [
    "arn:",
    { Ref: "AWS::Partition" },
    ":secretsmanager:",
    { Ref: "AWS::Region" },
    ":",
    { Ref: "AWS::AccountId" },
    ":secret:shop/api-key-??????",
  ];
  expect(secretStatements(template)).toEqual([
    { Action: READS[0], Effect: "Allow", Resource: { "Fn::Join": ["", resource] } },
  ]);
});

test("a secret or a parameter by its ARN is the resource of the right", () => {
  const parameter = "arn:aws:ssm:us-east-1:111122223333:parameter/shop/key";
  const partial = "arn:aws:secretsmanager:us-east-1:111122223333:secret:other";
  const { template } = synthesise({ options: { secrets: { A1: SECRET_ARN, B1: parameter, C1: partial } } });
  expect(secretVariables(template)).toEqual({
    SLUICE_SECRET_A1: SECRET_ARN,
    SLUICE_SECRET_B1: parameter,
    SLUICE_SECRET_C1: partial,
  });
  expect(secretStatements(template).map(({ Resource }) => Resource)).toEqual([
    [`${partial}-??????`, SECRET_ARN],
    parameter,
  ]);
});

test("a parameter by its name has one slash before the name in its ARN", () => {
  const { template } = synthesise({ options: { secrets: { A1: "ssm:/shop/key", B1: "ssm:plain" } } });
  const [statement] = secretStatements(template);
  const ends = ((statement?.Resource ?? []) as { "Fn::Join": [string, unknown[]] }[]).map((arn) =>
    arn["Fn::Join"][1].at(-1),
  );
  expect(ends).toEqual([":parameter/plain", ":parameter/shop/key"]);
});

test("constructs of the CDK replace the workflow's entries, and the right on a key is for their service only", () => {
  const { template } = synthesise((stack) => ({
    options: { secrets: { API_KEY: "shop/api-key", OTHER: "shop/other" } },
    secrets: {
      API_KEY: Secret.fromSecretAttributes(stack, "ApiKey", {
        secretCompleteArn: SECRET_ARN,
        encryptionKey: Key.fromKeyArn(stack, "Key", KEY_ARN),
      }),
      OTHER: StringParameter.fromSecureStringParameterAttributes(stack, "Other", {
        parameterName: "/shop/other",
        encryptionKey: Key.fromKeyArn(stack, "OtherKey", KEY_ARN),
      }),
    },
  }));
  const variables = secretVariables(template);
  expect(variables.SLUICE_SECRET_API_KEY).toBe(SECRET_ARN);
  expect(JSON.stringify(variables.SLUICE_SECRET_OTHER)).toContain(":parameter/shop/other");
  const onKey = (service: string) => ({
    Action: "kms:Decrypt",
    Effect: "Allow",
    Resource: KEY_ARN,
    Condition: {
      StringEquals: {
        "kms:ViaService":
          service === "ssm"
            ? { "Fn::Join": ["", ["ssm.", { Ref: "AWS::Region" }, ".amazonaws.com"]] }
            : `${service}.us-east-1.amazonaws.com`,
      },
    },
  });
  expect(secretStatements(template)).toEqual([
    { Action: READS[0], Effect: "Allow", Resource: SECRET_ARN },
    onKey("secretsmanager"),
    { Action: READS[1], Effect: "Allow", Resource: expect.anything() },
    onKey("ssm"),
  ]);
});

test("a secret of the same stack, and one imported by its name", () => {
  const { template } = synthesise((stack) => ({
    secrets: { OWN: new Secret(stack, "Own"), NAMED: Secret.fromSecretNameV2(stack, "Named", "shop/api-key") },
  }));
  expect(secretVariables(template).SLUICE_SECRET_OWN).toEqual({ Ref: expect.stringMatching(/^Own/) });
  const [statement] = secretStatements(template);
  const [named, own] = (statement?.Resource ?? []) as { Ref?: string; "Fn::Join"?: [string, unknown[]] }[];
  expect(own?.Ref).toMatch(/^Own/);
  expect(named?.["Fn::Join"]?.[1].at(-1)).toBe(":secret:shop/api-key-??????");
});

test("a name that is an environment variable, too, is refused", () => {
  const message =
    "API_KEY is a secret and an environment variable, so its value would be in the template: remove it from";
  const secrets = { API_KEY: "shop/api-key" };
  expect(() => synthesise({ secrets, environment: { API_KEY: "x" } })).toThrow(message);
  expect(() => synthesise({ options: { secrets, environment: ["API_KEY"] } })).toThrow(message);
});

test("what is no secret is refused with the fix", () => {
  const made = (given: unknown) => () => synthesise({ secrets: { API_KEY: given as string } });
  expect(made(5)).toThrow("never the value itself");
  expect(made({})).toThrow('write Secret.fromSecretNameV2(stack, "ApiKey", "shop/api-key")');
  expect(() => synthesise((stack: Stack) => ({ secrets: { API_KEY: stack.stackId } }))).toThrow(
    "the secret API_KEY is a text that is known at the deployment only",
  );
  expect(() => synthesise({ secrets: { "API-KEY": "x" } })).toThrow("the name of a secret must have");
});
