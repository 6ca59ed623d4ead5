import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CliWorld, workflowFile } from "../../helpers/cli.ts";
import { PATIENTLY } from "../../helpers/patience.ts";
import { startRun, startTestEngine, temporaryDirectory } from "../../helpers/test-engine.ts";

/** The requests to the user's AWS: `caller service key region`. */
type Asked = Set<string>;

/** Starts a server in place of the user's own AWS. */
async function startUsersAws() {
  const asked: Asked = new Set();
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as { QueueNamePrefix?: string; ExclusiveStartTableName?: string };
    const scope = /Credential=(?<key>[^/]+)\/\d+\/(?<region>[^/]+)\/(?<service>[^/]+)\//.exec(
      request.headers.authorization ?? "",
    )?.groups;
    const who = body.QueueNamePrefix ?? body.ExclusiveStartTableName;
    asked.add(`${who} ${scope?.service} ${scope?.key} ${scope?.region}`);
    response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    asked,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const callsWith = (key: string, region: string): readonly string[] =>
  ["isolated", "onComplete", "source", "task"].flatMap((who) => [
    `${who} dynamodb ${key} ${region}`,
    `${who} sqs ${key} ${region}`,
  ]);

/** Runs a workflow in which the source, the task and `onComplete` call AWS. */
async function runOwnAws(): Promise<void> {
  using directory = temporaryDirectory();
  const engine = await startTestEngine("own-aws", directory.path, (derived) => ({
    ...derived,
    // What crashed comes again soon.
    queue: { ...derived.queue, visibilityTimeoutSeconds: 2 },
    consumer: {
      ...derived.consumer,
      refillSeconds: 2,
      refillWaitingSeconds: 0.5,
      refillVisibilitySeconds: 2,
    },
  }));
  try {
    await startRun(engine, "own-aws", "r1");
    await vi.waitUntil(async () => (await engine.runs.find("r1"))?.completionHandledAt !== undefined, {
      ...PATIENTLY,
      interval: 50,
    });
    expect(await engine.runs.counts(await engine.runs.get("r1"))).toMatchObject({ succeeded: 2, dead: 0 });
    const state = join(directory.path, "own-aws");
    const { accessKeyId } = JSON.parse(readFileSync(join(state, "engine.json"), "utf8")).endpoints;
    const logs = ["producer", "consumer"].map((name) => readFileSync(join(state, "logs", `${name}.log`), "utf8"));
    expect(logs.join("")).toContain("own-aws");
    // No log has the key of Sluice's own services.
    expect(logs.join("")).not.toContain(accessKeyId);
  } finally {
    await engine.close();
  }
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("Calls of AWS by the user's own code, from the source to onComplete, go", () => {
  test("where the user's profile says, with its credentials and region", async () => {
    await using aws = await startUsersAws();
    using home = temporaryDirectory();
    const config = `[profile mine]\nregion = eu-north-1\nservices = fake\nretry_mode = adaptive\n
[services fake]\nsqs =\n  endpoint_url = ${aws.endpoint}\ndynamodb =\n  endpoint_url = ${aws.endpoint}\n`;
    writeFileSync(join(home.path, "config"), config);
    writeFileSync(
      join(home.path, "credentials"),
      "[mine]\naws_access_key_id = KEYOFMYPROFILE\naws_secret_access_key = secret\n",
    );
    vi.stubEnv("AWS_CONFIG_FILE", join(home.path, "config"));
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(home.path, "credentials"));
    vi.stubEnv("AWS_PROFILE", "mine");
    await runOwnAws();
    expect([...aws.asked].toSorted()).toEqual(callsWith("KEYOFMYPROFILE", "eu-north-1"));
  });

  test("where the environment variables say, with their credentials and region", async () => {
    await using aws = await startUsersAws();
    vi.stubEnv("AWS_ENDPOINT_URL", aws.endpoint);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "KEYOFMYSHELL");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    vi.stubEnv("AWS_REGION", "sa-east-1");
    await runOwnAws();
    expect([...aws.asked].toSorted()).toEqual(callsWith("KEYOFMYSHELL", "sa-east-1"));
  });
});

test("the user's AWS settings do not change Sluice's own clients on this machine", async () => {
  // A request to this server would have followed one of the settings.
  await using nobody = await startUsersAws();
  using world = new CliWorld();
  const settings = {
    AWS_ENDPOINT_URL: nobody.endpoint,
    AWS_ENDPOINT_URL_SQS: nobody.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: nobody.endpoint,
    AWS_ACCESS_KEY_ID: "KEYOFMYSHELL",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_SESSION_TOKEN: "token",
    AWS_PROFILE: "missing",
    AWS_REGION: "nowhere",
    AWS_MAX_ATTEMPTS: "many",
    AWS_RETRY_MODE: "nonsense",
    AWS_DEFAULTS_MODE: "nonsense",
    AWS_USE_FIPS_ENDPOINT: "true",
    AWS_USE_DUALSTACK_ENDPOINT: "true",
    AWS_ACCOUNT_ID_ENDPOINT_MODE: "required",
    AWS_ENABLE_ENDPOINT_DISCOVERY: "true",
    AWS_AUTH_SCHEME_PREFERENCE: "httpBearerAuth",
    AWS_SDK_UA_APP_ID: "x".repeat(51),
    HTTP_PROXY: nobody.endpoint,
    http_proxy: nobody.endpoint,
    NODE_USE_ENV_PROXY: "1",
  };
  const inFile = {
    endpoint_url: nobody.endpoint,
    region: "nowhere",
    retry_mode: "nonsense",
    max_attempts: "many",
    defaults_mode: "nonsense",
    use_fips_endpoint: "true",
    use_dualstack_endpoint: "true",
    account_id_endpoint_mode: "required",
    endpoint_discovery_enabled: "true",
    auth_scheme_preference: "httpBearerAuth",
  };
  const lines = Object.entries(inFile).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(join(world.path, "config"), `[default]\n${lines.join("")}`);

  // Node reads some of these variables only when a process starts.
  Object.assign(world.environment, settings);
  const byVariables = await world.begin("run", workflowFile("small"), "--json").ended;
  expect(byVariables.json.at(-1)).toMatchObject({ status: "completed", produced: 12, succeeded: 11, dead: 1 });
  for (const name of Object.keys(settings)) delete world.environment[name];

  world.environment.AWS_CONFIG_FILE = join(world.path, "config");
  const byFile = await world.begin("run", workflowFile("small"), "--json").ended;
  expect(byFile.json.at(-1)).toMatchObject({ status: "completed", produced: 12, succeeded: 11, dead: 1 });
  const { json } = await world.type("dlq", "--json");
  expect(json.at(-1)).toMatchObject({ type: "totals", deadLetters: 2 });
  expect([...nobody.asked]).toEqual([]);
});
