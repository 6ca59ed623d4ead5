import { describe, expect, test } from "vitest";
import { LONGEST_HIDING_MILLISECONDS } from "../../../shared/aws/quotas.ts";
import { topology } from "../../../shared/definition/topology.ts";
import { defineWorkflow } from "../../../shared/index.ts";
import { newerVersionDelay } from "../../../shared/messages/newer-version-delay.ts";
import { workflowOptions } from "../../helpers/workflow-options.ts";

const DAY = 86_400_000;
const LIMITS = { maxReceiveCount: 145, retentionSeconds: 10 * 86_400 };

const delay = (receiveCount: number, random = 0, age = 0) =>
  newerVersionDelay({ receiveCount, sentAt: 1_000 }, LIMITS, 1_000 + age, random);

describe("a message of a newer version stays hidden", () => {
  test("shortly at first, then for up to 15 minutes", () => {
    expect([1, 2, 3, 4, 7, 8, 9, 72].map((receive) => delay(receive) / 1_000)).toEqual([
      5, 10, 20, 40, 320, 640, 900, 900,
    ]);
    expect(delay(1, 1)).toBe(3_750);
  });

  test("for a share of its remaining retention, once half of its receives are used", () => {
    expect(delay(73)).toBeCloseTo((10 * DAY) / 72, 0);
    expect(delay(73, 0, 4 * DAY)).toBeCloseTo((6 * DAY) / 72, 0);
    // SQS hides no message for longer than 12 hours.
    expect([delay(144), delay(145), delay(1_000)]).toEqual(Array(3).fill(LONGEST_HIDING_MILLISECONDS));
    expect(delay(144, 0, 20 * DAY)).toBe(900_000);
  });

  test("for at least 15 minutes where nothing says when it was sent", () => {
    expect(newerVersionDelay({ receiveCount: 144 }, LIMITS, 5, 0)).toBe(LONGEST_HIDING_MILLISECONDS);
  });

  test.each([
    ["tasks", topology(defineWorkflow(workflowOptions({ retry: { attempts: 1 } }))).queue],
    ["control", topology(defineWorkflow(workflowOptions({}))).controlQueue],
  ])(
    "so that SQS never moves it from the %s queue, and it is looked at every 15 minutes of half a day",
    (_, limits) => {
      let age = 0;
      let lookedAtHalfADay = 0;
      for (let receiveCount = 1; age < limits.retentionSeconds * 1_000; receiveCount++) {
        expect(receiveCount).toBeLessThanOrEqual(limits.maxReceiveCount);
        const hidden = newerVersionDelay({ receiveCount, sentAt: 0 }, limits, age, 0.5);
        // No longer than a deploy that has just ended took, or 15 minutes.
        if (age > 0 && age < DAY / 3) expect(hidden).toBeLessThanOrEqual(Math.max(age * 2, 900_000));
        if (age < DAY / 3) lookedAtHalfADay++;
        age += hidden;
      }
      expect(lookedAtHalfADay).toBeGreaterThanOrEqual(30);
    },
  );
});
