import { expect, test } from "vitest";
import { type BundlingOptions, bundlingSettings } from "../../../shared/definition/bundling-options.ts";

test("everything is bundled for arm64 by default", () => {
  expect(bundlingSettings()).toEqual({ external: [], layers: [], define: {}, loader: {}, architecture: "arm64" });
});

test.each([
  [{ external: ["sharp@1"] }, /bundling\.external must be a list of names of packages/],
  [{ external: "sharp" }, /bundling\.external must be a list/],
  [{ layers: [{ arn: "sharp", packages: [] }] }, /arn of a layer must be the ARN of a version/],
  [{ layers: [{ arn: "arn:aws:lambda:eu-central-1:1:layer:a:1", packages: ["./a"] }] }, /packages of a layer must be/],
  [{ loader: { sql: "text" } }, /bundling\.loader must map an extension/],
  [{ loader: { ".sql": "sql" } }, /bundling\.loader must map an extension/],
  [{ define: { DEBUG: true } }, /bundling\.define must map a name .*: write JSON\.stringify\(true\)/],
  [{ architecture: "x64" }, /bundling\.architecture must be arm64 or x86_64, but is "x64"/],
  [{ minify: false }, /minify/],
])("%j is refused", (options, message) => {
  expect(() => bundlingSettings(options as unknown as BundlingOptions)).toThrow(message);
});
