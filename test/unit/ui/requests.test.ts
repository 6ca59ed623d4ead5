import { expect, test } from "vitest";
import { RequestError } from "../../../ui/server/request-error.ts";
import { bodyAs, commandRequest, nameOf, workRequest } from "../../../ui/server/requests.ts";

test.each(["--yes", "-h", "a b", "../x", "", "a/b"])(
  "%j is no name, so it cannot become an option of a command",
  (run) => {
    const body = JSON.stringify({ command: "pause", workflow: "cities", run });
    expect(() => bodyAs(commandRequest, body)).toThrow(RequestError);
    expect(() => nameOf(new URLSearchParams({ run }), "run")).toThrow("the query needs run");
  },
);

test("a request with an unknown key is refused", () => {
  const body = JSON.stringify({ kind: "purge", workflow: "cities", everything: true });
  expect(() => bodyAs(workRequest, body)).toThrow("everything");
  expect(() => bodyAs(workRequest, "{")).toThrow("the body is not JSON");
});
