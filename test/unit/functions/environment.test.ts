import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../../../shared/base/errors.ts";
import {
  type FunctionEnvironment,
  fromVariables,
  toVariables,
} from "../../../shared/definition/function-environment.ts";

const onLambda: FunctionEnvironment = {
  queueUrl: "https://sqs.eu-central-1.amazonaws.com/1/queue",
  deadLetterQueueUrl: "https://sqs.eu-central-1.amazonaws.com/1/dlq",
  controlQueueUrl: "https://sqs.eu-central-1.amazonaws.com/1/control.fifo",
  controlDeadLetterQueueUrl: "https://sqs.eu-central-1.amazonaws.com/1/control-dlq.fifo",
  eventBus: "default",
  table: "ledger",
  concurrency: 50,
  tasksPerEnvironment: 10,
  maxBacklog: 100,
  sliceSeconds: 60,
  controlVisibilitySeconds: 30,
  refillSeconds: 30,
  refillWaitingSeconds: 2,
  refillVisibilitySeconds: 40,
  stack: "sluice-cities",
  fastPath: true,
};

const access = {
  sqsEndpoint: "http://127.0.0.1:1",
  dynamoDbEndpoint: "http://127.0.0.1:2",
  region: "us-east-1",
  accessKeyId: "key",
  secretAccessKey: "secret",
};

describe("The environment variables of a function", () => {
  test.each([
    ["on Lambda", { ...onLambda, access: undefined }],
    ["with services of its own", { ...onLambda, eventBus: undefined, stack: undefined, fastPath: false, access }],
  ])("are read as they were written %s", (_, environment) => {
    expect(fromVariables(toVariables(environment))).toEqual(environment);
  });

  test("have names of Sluice only: the variables of the AWS SDK belong to the user", () => {
    const names = Object.keys(toVariables({ ...onLambda, access }));
    expect(names.filter((name) => !name.startsWith("SLUICE_"))).toEqual([]);
  });

  test("turn the fast path off with off only, and refuse other words", () => {
    const { SLUICE_FAST_PATH: _, ...unsaid } = toVariables(onLambda);
    expect(fromVariables(unsaid).fastPath).toBe(true);
    expect(fromVariables({ ...unsaid, SLUICE_FAST_PATH: "off" }).fastPath).toBe(false);
    expect(() => fromVariables({ ...unsaid, SLUICE_FAST_PATH: "no" })).toThrow("SLUICE_FAST_PATH");
  });

  test("are refused if only some of the access variables are set", () => {
    const { SLUICE_ACCESS_KEY_ID: _, ...partly } = toVariables({ ...onLambda, access });
    expect(() => fromVariables(partly)).toThrow(ConfigurationError);
    expect(() => fromVariables(partly)).toThrow("SLUICE_ACCESS_KEY_ID");
  });
});
