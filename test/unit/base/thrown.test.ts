import vm from "node:vm";
import { describe, expect, test } from "vitest";
import { isPermanent, toFailure } from "../../../shared/base/failure.ts";
import { describeThrown, isErrorLike, toError } from "../../../shared/base/thrown.ts";
import { PermanentError } from "../../../shared/index.ts";
import { HOSTILE_VALUES } from "../../helpers/hostile-values.ts";

const names = Object.keys(HOSTILE_VALUES);
const hostile = (name: string) => HOSTILE_VALUES[name] as (typeof HOSTILE_VALUES)[string];

describe.each(names)("%s", (name) => {
  const { make, ...expected } = hostile(name);

  test("is described", () => {
    const description = describeThrown(make());
    expect(description.name).toBe(expected.name);
    if (typeof expected.message === "string") expect(description.message).toBe(expected.message);
    else expect(description.message).toMatch(expected.message);
    expect(typeof description.stack).toBe("string");
  });

  test("becomes an error with plain texts, also the second time", () => {
    const error = toError(make());
    expect(error).toBeInstanceOf(Error);
    expect(toError(error) === error).toBe(true);
    for (const property of ["name", "message", "stack"] as const) expect(typeof error[property]).toBe("string");
  });

  test("is a failure of an attempt that is not permanent", () => {
    const failure = toFailure(make(), { attempt: 1, startedAt: 0, endedAt: 1 });
    expect(failure).toMatchObject({ kind: "threw", name: expected.name });
    expect(Buffer.byteLength(JSON.stringify(failure))).toBeLessThan(40_000);
    expect(isPermanent(make())).toBe(false);
  });
});

test("an error of another realm keeps its stack and its properties", () => {
  const error = toError(vm.runInNewContext('Object.assign(new TypeError("x"), { code: "E", status: 500 })'));
  expect(error).toMatchObject({ name: "TypeError", message: "x", code: "E", status: 500 });
  expect(error.stack).toMatch(/^TypeError: x\n {4}at evalmachine/);
});

test("an ordinary error is returned unchanged, also if its class is the user's", () => {
  for (const error of [new Error("a"), new PermanentError("b"), new (class Own extends RangeError {})("c")]) {
    expect(toError(error)).toBe(error);
  }
});

test("an error keeps its message if the task's prepareStackTrace throws", () => {
  const before = Error.prepareStackTrace;
  try {
    Error.prepareStackTrace = () => {
      throw new Error("no stack");
    };
    const error = new Error("readable");
    expect(describeThrown(error)).toEqual({ name: "Error", message: "readable", stack: "" });
  } finally {
    Error.prepareStackTrace = before;
  }
});

test("an error whose getter works only once is read once", () => {
  let reads = 0;
  const error = Object.defineProperty(new Error(), "message", {
    get() {
      if (reads++ > 0) throw new Error("again");
      return "once";
    },
  });
  const described = toError(error);
  expect([described.message, described.message]).toEqual(["once", "once"]);
});

test("a PermanentError with a getter that throws is still permanent", () => {
  const error = Object.defineProperty(new PermanentError("never"), "stack", {
    get() {
      throw new Error("no");
    },
  });
  expect(isPermanent(error)).toBe(true);
});

test("errors are recognised without running their code", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect([new Error(), vm.runInNewContext("new Error()"), {}, null, proxy].map(isErrorLike)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
