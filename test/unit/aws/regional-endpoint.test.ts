import { expect, test } from "vitest";
import { endpointFrom, regionalEndpoint } from "../../../shared/aws/regional-endpoint.ts";

// What the SDK's own clients of these services answer with.
test.each([
  ["cloudformation", "eu-west-1", false, false, "cloudformation.eu-west-1.amazonaws.com"],
  ["logs", "eu-west-1", true, false, "logs-fips.eu-west-1.amazonaws.com"],
  ["lambda", "eu-west-1", true, true, "lambda-fips.eu-west-1.api.aws"],
  ["events", "us-gov-west-1", true, false, "events.us-gov-west-1.amazonaws.com"],
  ["cloudformation", "us-gov-east-1", true, false, "cloudformation.us-gov-east-1.amazonaws.com"],
  ["cloudformation", "us-gov-east-1", true, true, "cloudformation-fips.us-gov-east-1.api.aws"],
  ["logs", "us-gov-west-1", true, false, "logs.us-gov-west-1.amazonaws.com"],
  ["lambda", "us-gov-west-1", true, false, "lambda-fips.us-gov-west-1.amazonaws.com"],
  ["logs", "cn-north-1", false, true, "logs.cn-north-1.api.amazonwebservices.com.cn"],
  ["events", "eusc-de-east-1", false, false, "events.eusc-de-east-1.amazonaws.eu"],
  ["events", "us-iso-east-1", true, false, "events-fips.us-iso-east-1.c2s.ic.gov"],
])("the endpoint of %s in %s (FIPS %s, dual-stack %s) is %s", (service, region, isFips, isDualStack, host) => {
  expect(regionalEndpoint(service, region, { isFips, isDualStack })).toBe(`https://${host}`);
});

test("environment variables choose the endpoint, and an empty one counts as absent", () => {
  const secrets = { service: "secretsmanager", variable: "SECRETS_MANAGER", region: "us-east-1" };
  const usual = "https://secretsmanager.us-east-1.amazonaws.com";
  expect(endpointFrom({}, secrets)).toBe(usual);
  expect(endpointFrom({ AWS_ENDPOINT_URL: "http://all", AWS_ENDPOINT_URL_SECRETS_MANAGER: "" }, secrets)).toBe(
    "http://all",
  );
  const both = { AWS_ENDPOINT_URL: "http://all", AWS_ENDPOINT_URL_SECRETS_MANAGER: "http://own" };
  expect(endpointFrom(both, secrets)).toBe("http://own");
  expect(endpointFrom({ ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" }, secrets)).toBe(usual);
  expect(endpointFrom({ AWS_USE_FIPS_ENDPOINT: "true", AWS_USE_DUALSTACK_ENDPOINT: "TRUE" }, secrets)).toBe(
    "https://secretsmanager-fips.us-east-1.api.aws",
  );
});
