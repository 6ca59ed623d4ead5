import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { stackTargets } from "../../../cli/targets/stack-target.ts";
import { silentServer } from "../../helpers/silent-servers.ts";
import { temporaryDirectory } from "../../helpers/test-engine.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What a command finds out about its stack. */
async function outcome(): Promise<unknown> {
  try {
    for await (const { stack } of stackTargets({ stack: "sluice-cities", region: "us-east-1" })) return stack;
  } catch (error) {
    return error;
  }
}

const unreachable = {
  code: "AWS_UNREACHABLE",
  message: expect.stringContaining("no complete response from 127.0.0.1"),
};

test("a command whose AWS never answers ends, and says so", async () => {
  const { endpoint, connections } = await silentServer();
  vi.stubEnv("AWS_ENDPOINT_URL", endpoint);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");

  expect(await outcome()).toMatchObject(unreachable);
  // It tries twice. When a request is given up, `fetch` may open one more connection that it does not use.
  expect(connections()).toBeGreaterThanOrEqual(2);
  expect(connections()).toBeLessThanOrEqual(3);
});

test("a command whose single sign-on never answers ends, and says so", async () => {
  using home = temporaryDirectory();
  const { endpoint, connections } = await silentServer();
  const session = "acme";
  const cache = join(home.path, ".aws/sso/cache");
  mkdirSync(cache, { recursive: true });
  const token = { accessToken: "token", expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
  writeFileSync(join(cache, `${createHash("sha1").update(session).digest("hex")}.json`), JSON.stringify(token));
  const config = join(home.path, ".aws/config");
  writeFileSync(
    config,
    `[profile work]
sso_session = ${session}
sso_account_id = 123456789012
sso_role_name = operator

[sso-session ${session}]
sso_region = us-east-1
sso_start_url = https://acme.awsapps.com/start
`,
  );
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) vi.stubEnv(name, undefined);
  vi.stubEnv("HOME", home.path);
  vi.stubEnv("AWS_CONFIG_FILE", config);
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(home.path, "none"));
  vi.stubEnv("AWS_PROFILE", "work");
  vi.stubEnv("AWS_ENDPOINT_URL_SSO", endpoint);

  expect(await outcome()).toMatchObject({
    code: "AWS_UNREACHABLE",
    message: expect.stringContaining("within 5000 ms"),
  });
  expect(connections()).toBeGreaterThan(0);
});
