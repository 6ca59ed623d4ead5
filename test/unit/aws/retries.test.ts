import { expect, test, vi } from "vitest";
import { Retries } from "../../../shared/aws/retries.ts";
import {
  LAST_RETRY_MILLISECONDS,
  LONGEST_SDK_REQUEST_MILLISECONDS,
  MOST_ATTEMPTS,
  REQUEST_TIMEOUT_MILLISECONDS,
} from "../../../shared/aws/timeouts.ts";

/** How many attempts a request makes that fails each time after so long, and when the last one ends. */
async function attempts(attemptMilliseconds: number): Promise<{ count: number; end: number }> {
  // No pause.
  vi.spyOn(Math, "random").mockReturnValue(0);
  let time = 0;
  const retries = new Retries(() => time);
  let token = await retries.acquireInitialRetryToken("");
  for (let count = 1; ; count++) {
    time += attemptMilliseconds;
    try {
      token = await retries.refreshRetryTokenForRetry(token, { errorType: "TRANSIENT" });
    } catch {
      return { count, end: time };
    }
  }
}

test("a request that is refused at once is tried four times", async () => {
  expect(await attempts(1)).toEqual({ count: MOST_ATTEMPTS, end: MOST_ATTEMPTS });
});

test("a request that times out is tried once more", async () => {
  expect(await attempts(REQUEST_TIMEOUT_MILLISECONDS)).toEqual({ count: 2, end: 2 * REQUEST_TIMEOUT_MILLISECONDS });
});

test("a long poll that times out is not tried again", async () => {
  expect((await attempts(25_000)).count).toBe(1);
});

test("no attempt ends later than the longest request", async () => {
  for (const each of [
    LAST_RETRY_MILLISECONDS / 3,
    LAST_RETRY_MILLISECONDS / 2,
    LAST_RETRY_MILLISECONDS / 2 - 1,
    4_999,
  ]) {
    expect((await attempts(each)).end).toBeLessThanOrEqual(LONGEST_SDK_REQUEST_MILLISECONDS);
  }
});
