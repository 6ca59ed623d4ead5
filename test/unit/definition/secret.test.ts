import { expect, test } from "vitest";
import {
  CachedSecret,
  type SecretOptions,
  type SecretSurroundings,
  secret,
} from "../../../shared/definition/secret.ts";
import { placeOfSecret } from "../../../shared/definition/secret-names.ts";
import { defineWorkflow } from "../../../shared/definition/workflow.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const DEPLOYED = { SLUICE_SECRET_API_KEY: "shop/api-key", AWS_LAMBDA_FUNCTION_NAME: "consumer" };

/** A secret with a clock that the test sets, and a store that the test fills. */
function rig(options: SecretOptions = {}, environment: SecretSurroundings["environment"] = DEPLOYED) {
  const world = {
    now: 1_000_000,
    /** What the store returns or throws. */
    stored: "first" as string | Error,
    fetches: [] as string[],
    /** Resolves a fetch, if the test wants to decide when. */
    gate: undefined as Promise<void> | undefined,
  };
  const made = new CachedSecret("API_KEY", options, {
    environment,
    now: () => world.now,
    async fetch({ service, id }) {
      world.fetches.push(`${service} ${id}`);
      const { stored } = world;
      await world.gate;
      if (stored instanceof Error) throw stored;
      return stored;
    },
  });
  return { world, made };
}

const awsError = (name: string, message: string, status = 400) => Object.assign(new Error(message), { name, status });

test("value fetches the secret once, also for calls at the same time", async () => {
  const { world, made } = rig();
  expect(await Promise.all([made.value(), made.value()])).toEqual(["first", "first"]);
  expect(await made.value()).toBe("first");
  expect(world.fetches).toEqual(["secretsmanager shop/api-key"]);
});

test("value fetches a secret again when it is as old as maxAge, and not before", async () => {
  const { world, made } = rig({ maxAge: { seconds: 60 } });
  await made.value();
  world.stored = "second";
  world.now += 59_999;
  expect(await made.value()).toBe("first");
  world.now += 1;
  expect(await made.value()).toBe("second");
  expect(world.fetches).toHaveLength(2);
});

test("a secret is 5 minutes old at most by default, and a clock that was set back makes it old", async () => {
  const { world, made } = rig();
  await made.value();
  world.now += 299_999;
  await made.value();
  expect(world.fetches).toHaveLength(1);
  world.now += 1;
  await made.value();
  world.now -= 10_000;
  await made.value();
  expect(world.fetches).toHaveLength(3);
});

test("markStale makes the next call fetch once, if the value is the current one and 10 s old", async () => {
  const { world, made } = rig();
  const old = await made.value();
  world.stored = "second";
  world.now += 9_999;
  made.markStale(old);
  expect(await made.value()).toBe("first");
  world.now += 1;
  made.markStale(old);
  made.markStale(old);
  expect(await Promise.all([made.value(), made.value()])).toEqual(["second", "second"]);
  world.now += 10_000;
  // A task that still had the old value says so later.
  made.markStale(old);
  expect(await made.value()).toBe("second");
  expect(world.fetches).toHaveLength(2);
});

test("while AWS throttles or does not answer, an old value is returned, but never a stale one", async () => {
  const { world, made } = rig({ maxAge: { seconds: 20 } });
  const old = await made.value();
  for (const error of [
    awsError("ThrottlingException", "slow down"),
    awsError("InternalServiceError", "sorry", 500),
    Object.assign(new Error("no response"), { name: "ConnectionError" }),
  ]) {
    world.now += 20_000;
    world.stored = error;
    expect(await made.value(), error.name).toBe("first");
  }
  made.markStale(old);
  await expect(made.value()).rejects.toMatchObject({ code: "SECRET" });
  world.stored = "second";
  expect(await made.value()).toBe("second");
});

test("what AWS refuses is an error that names the secret and the fix, also when an old value is known", async () => {
  const { world, made } = rig({ maxAge: { seconds: 20 } });
  await made.value();
  world.now += 20_000;
  world.stored = awsError("AccessDeniedException", "not you");
  await expect(made.value()).rejects.toMatchObject({
    code: "SECRET",
    ids: { secret: "shop/api-key" },
    message: expect.stringMatching(
      /^the secret API_KEY \(shop\/api-key\) cannot be fetched: AccessDeniedException: not you\. Fix: the credentials need secretsmanager:GetSecretValue on it/,
    ),
  });
  world.stored = awsError("ResourceNotFoundException", "none");
  await expect(made.value()).rejects.toThrow("Fix: there is no such secret, or it has no value yet: create it");
});

test("a parameter is fetched from the Parameter Store", async () => {
  const { world, made } = rig({}, { SLUICE_SECRET_API_KEY: "ssm:/shop/api-key" });
  world.stored = awsError("ParameterNotFound", "none");
  await expect(made.value()).rejects.toThrow("Fix: there is no such parameter");
  expect(world.fetches).toEqual(["ssm /shop/api-key"]);
});

test("a caller whose signal fires waits no longer, and the others get the value", async () => {
  const { world, made } = rig();
  const gate = Promise.withResolvers<void>();
  world.gate = gate.promise;
  const controller = new AbortController();
  const aborted = made.value({ signal: controller.signal });
  const other = made.value();
  controller.abort(new Error("too slow"));
  await expect(aborted).rejects.toThrow("too slow");
  gate.resolve();
  expect(await other).toBe("first");
  await expect(made.value({ signal: controller.signal })).rejects.toThrow("too slow");
  expect(world.fetches).toHaveLength(1);
});

test("locally, the environment variable has the value, and nothing is fetched", async () => {
  const { world, made } = rig({}, { API_KEY: "local" });
  expect(await made.value()).toBe("local");
  expect(world.fetches).toEqual([]);
});

test.each([{}, { API_KEY: "" }])(
  "a value that is missing locally is an error with the fix: %j",
  async (environment) => {
    await expect(rig({}, environment).made.value()).rejects.toThrow(
      "the secret API_KEY has no value: locally, set the environment variable API_KEY, or write it into .env for sluice dev",
    );
  },
);

test("a deployed function that knows no secret of the name says how to add it", async () => {
  await expect(rig({}, { AWS_LAMBDA_FUNCTION_NAME: "consumer" }).made.value()).rejects.toThrow(
    'the deployed workflow knows no secret API_KEY: add secrets: { API_KEY: "name or ARN of the secret" } to the workflow',
  );
});

test.each(["", "a", "1A", "API-KEY", "AWS_KEY", "SLUICE_KEY", 5])("secret refuses the name %j", (name) => {
  expect(() => secret(name as string)).toThrow('write "API_KEY"');
});

test("secret refuses an unknown option and an age outside its range", () => {
  expect(() => secret("API_KEY", { ttl: 5 } as never)).toThrow('unknown option "ttl"');
  expect(() => secret("API_KEY", { maxAge: { milliseconds: 999 } })).toThrow("maxAge");
  expect(() => secret("API_KEY", { maxAge: { hours: 25 } })).toThrow("maxAge");
  expect(secret("API_KEY", { maxAge: { days: 1 } }).name).toBe("API_KEY");
});

const ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/api-key-a1B2c3";
const PARAMETER_ARN = "arn:aws-cn:ssm:cn-north-1:111122223333:parameter/shop/api-key";

test.each([
  ["shop/api-key", { service: "secretsmanager", id: "shop/api-key" }],
  ["ssm:/shop/api-key", { service: "ssm", id: "/shop/api-key" }],
  ["ssm:plain", { service: "ssm", id: "plain" }],
  [ARN, { service: "secretsmanager", id: ARN, arn: ARN, region: "eu-central-1" }],
  [PARAMETER_ARN, { service: "ssm", id: PARAMETER_ARN, arn: PARAMETER_ARN, region: "cn-north-1" }],
])("%s is a reference to a secret", (reference, place) => {
  expect(placeOfSecret("API_KEY", reference)).toEqual({ arn: undefined, region: undefined, ...place });
});

test.each(["", "ssm:", "arn:aws:s3:::bucket", "sk_live 123", "ssm:a b", 5])(
  "%j is no reference to a secret",
  (reference) => {
    expect(() => placeOfSecret("API_KEY", reference)).toThrow(
      'the secret API_KEY must be the name of a secret in Secrets Manager, "ssm:" and the name of a parameter, or the ARN',
    );
  },
);

test("a message about a wrong reference does not contain it, because it may be the value", () => {
  expect(() => placeOfSecret("API_KEY", "sk live 51")).toThrow(/^(?!.*sk live).*but is another text/);
});

test("defineWorkflow takes secrets, and none by default", () => {
  expect(defineWorkflow(workflowOptions({ secrets: { API_KEY: ARN } })).secrets).toEqual({ API_KEY: ARN });
  expect(defineWorkflow(workflowOptions()).secrets).toEqual({});
});

test.each([{ secrets: ["API_KEY"] }, { secrets: "API_KEY" }, { secrets: { API_KEY: 5 } }, { secrets: null }])(
  "defineWorkflow refuses what is no object of texts: $secrets",
  ({ secrets }) => {
    expect(() => defineWorkflow(workflowOptions({ secrets: secrets as never }))).toThrow(
      'secrets must be an object of names or ARNs: write { API_KEY: "shop/api-key" }',
    );
  },
);
