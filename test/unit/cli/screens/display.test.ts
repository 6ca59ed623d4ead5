import { stripVTControlCharacters } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { positiveInteger } from "../../../../cli/options/positive-integer.ts";
import { chooseDisplay } from "../../../../cli/screens/display.ts";
import { count, plural, seconds, table } from "../../../../cli/screens/format.ts";
import { liveLine } from "../../../../cli/screens/live-bar.ts";
import type { LiveProgress } from "../../../../shared/observe/live-progress.ts";
import { Pace } from "../../../../shared/observe/settling-rate.ts";

const progress: LiveProgress = {
  produced: 5_000,
  total: 5_000,
  inFlight: 47,
  succeeded: 3_109,
  retried: 57,
  throttled: 0,
  dead: 4,
  rate: 257.4,
  secondsLeft: 7.34,
};

describe("the live line", () => {
  const line = (columns: number, changes: Partial<LiveProgress> = {}) =>
    stripVTControlCharacters(liveLine({ ...progress, ...changes }, columns));

  test("is a bar with the facts", () => {
    expect(line(120)).toBe(
      `${"━".repeat(30)}  62 %  47 in flight · 3,109 succeeded · 57 retried · 4 dead · 257/s · 7.3 s left`,
    );
  });

  test("has no bar if the total is not known, and says what was produced", () => {
    expect(line(120, { total: undefined, secondsLeft: undefined })).toBe(
      "5,000 produced · 47 in flight · 3,109 succeeded · 57 retried · 4 dead · 257/s",
    );
  });

  test("fits on every terminal, and always has the rate and the time left", () => {
    for (let columns = 30; columns <= 250; columns++) {
      expect(line(columns).length).toBeLessThan(columns);
      expect(line(columns)).toMatch(/257\/s · 7\.3 s left$/);
    }
  });

  test("has a bar on a terminal of 80 columns, and leaves out the retries for it", () => {
    expect(line(80)).toBe(`${"━".repeat(10)}  62 %  47 in flight · 3,109 succeeded · 4 dead · 257/s · 7.3 s left`);
    expect(line(80, { total: 135_233, produced: 135_233, succeeded: 100_123, secondsLeft: 134 })).toBe(
      `${"━".repeat(10)}  74 %  100,123 succeeded · 4 dead · 257/s · 2 min 14 s left`,
    );
  });

  test("keeps its bar on a terminal of 80 columns, whatever is to be told beside it", () => {
    const held = "held at 19.6/s: the service's headers leave no more";
    const waiting = { items: 12_345, nextInSeconds: 134 };
    for (const told of [{ held }, { waiting }, { held, throttled: 1_200 }, { waiting, sourceWaitSeconds: 134 }]) {
      const shown = line(80, { ...told, succeeded: 100_123, produced: 135_233, total: 135_233, secondsLeft: 134 });
      expect(/^━*/.exec(shown)?.[0].length, shown).toBe(10);
      expect(shown.length).toBeLessThan(80);
      expect(shown).toContain("4 dead");
    }
    expect(line(80, { held })).toBe(`${"━".repeat(10)}  62 %  4 dead · 257/s · held at 19.6/s · 7.3 s left`);
  });

  test("keeps the width of its bar, whatever the numbers beside it are", () => {
    for (const columns of [80, 100, 120, 200]) {
      const bars = [1, 57, 3_109, 120_404].map((succeeded) => {
        const shown = line(columns, { produced: 135_233, total: 135_233, succeeded, secondsLeft: 200_000 / succeeded });
        return /^━*/.exec(shown)?.[0].length;
      });
      expect(new Set(bars)).toEqual(new Set([columns === 80 ? 10 : 30]));
    }
  });

  test("says how often the service refused, and why the fleet is slow", () => {
    const held = { throttled: 1_204, held: "held at 19.6/s: the service throttles", rate: 19.6 };
    expect(line(180, held)).toBe(
      `${"━".repeat(30)}  62 %  47 in flight · 3,109 succeeded · 57 retried · 1,204 throttled · 4 dead · 20/s · ` +
        "held at 19.6/s: the service throttles · 7.3 s left",
    );
    for (let columns = 70; columns <= 250; columns++) {
      expect(line(columns, held).length).toBeLessThan(columns);
      expect(line(columns, held)).toContain(columns < 76 ? "held at 19.6/s" : "held at 19.6/s: the service throttles");
    }
  });

  test("says how many items a run waits for, and how long", () => {
    const waiting = { items: 8, nextInSeconds: 23.4 };
    expect(line(120, { waiting, inFlight: 0 })).toBe(
      `${"━".repeat(30)}  62 %  0 in flight · 3,109 succeeded · 57 retried · 4 dead · 8 waiting, the next in 23 s`,
    );
  });

  test("says how long the source waits", () => {
    const wait = { total: undefined, secondsLeft: undefined, sourceWaitSeconds: 754, rate: 0, inFlight: 0 };
    expect(line(120, wait)).toBe(
      "5,000 produced · 0 in flight · 3,109 succeeded · 57 retried · 4 dead · 0/s · the source waits for 12 min 34 s",
    );
    for (let columns = 40; columns <= 250; columns++) expect(line(columns, wait).length).toBeLessThan(columns);
    expect(line(80, wait)).toContain("the source waits for 12 min 34 s");
  });

  test("says how long a page has been read", () => {
    const reading = { total: undefined, secondsLeft: undefined, readingSeconds: 754, rate: 0, inFlight: 0 };
    expect(line(120, reading)).toMatch(/ · 0\/s · reading a page for 12 min 34 s$/);
    for (let columns = 40; columns <= 250; columns++) expect(line(columns, reading).length).toBeLessThan(columns);
    expect(line(80, reading)).toContain("reading a page for 12 min 34 s");
  });

  test("does not show a time left that is nearly 0: the last items may wait for another attempt", () => {
    expect(line(120, { secondsLeft: 0.1 })).toMatch(/257\/s · 0\.1 s left$/);
    expect(line(120, { secondsLeft: 0.09 })).toMatch(/257\/s$/);
  });

  test("shows less than 100 % until every item is settled", () => {
    expect(line(100, { succeeded: 4_994, dead: 5 })).toContain(" 99 %");
    expect(line(100, { succeeded: 4_995, dead: 5 })).toContain("100 %");
    expect(line(100, { total: 0, produced: 0 })).not.toContain("NaN");
  });
});

test("with --json, progress is printed at most once per second, and each line is one object", () => {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  vi.useFakeTimers({ now: 1_000_000 });
  try {
    const display = chooseDisplay({ json: true });
    display.show(progress);
    vi.advanceTimersByTime(999);
    display.show(progress);
    vi.advanceTimersByTime(1);
    display.show({ ...progress, total: undefined, secondsLeft: undefined });
    display.say("a line\nand another");
    display.end();
  } finally {
    vi.useRealTimers();
    write.mockRestore();
  }
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { type: "progress", ...progress },
    { type: "progress", ...progress, total: null, secondsLeft: null },
    { type: "message", message: "a line\nand another" },
  ]);
  expect(lines.every((line) => line.indexOf("\n") === line.length - 1)).toBe(true);
});

describe("the rate of a run", () => {
  test("is the rate of the last five seconds", () => {
    const pace = new Pace();
    expect(pace.rate(0, 0)).toBe(0);
    expect(pace.rate(1_000, 10)).toBe(10);
    expect(pace.rate(2_000, 30)).toBe(15);
    for (let second = 3; second <= 20; second++) pace.rate(second * 1_000, 30 + (second - 2) * 100);
    expect(pace.rate(21_000, 1_930)).toBe(100);
  });

  test("is 0 for the first sample, and while nothing is settled", () => {
    const pace = new Pace();
    expect(pace.rate(5, 100)).toBe(0);
    expect(pace.rate(5, 200)).toBe(0);
    for (let second = 1; second <= 10; second++) pace.rate(second * 1_000, 200);
    expect(pace.rate(11_000, 200)).toBe(0);
  });
});

describe("text for people", () => {
  test.each([
    [0, "0.0 s"],
    [9.94, "9.9 s"],
    [10, "10 s"],
    [119.4, "119 s"],
    [200, "3 min 20 s"],
    [7_500, "2 h 5 min"],
    // There is never a 60th second or minute.
    [119.7, "2 min 0 s"],
    [179.7, "3 min 0 s"],
    [7_199.7, "2 h 0 min"],
    [10_799, "3 h 0 min"],
  ])("%f seconds are %s", (value, text) => {
    expect(seconds(value)).toBe(text);
  });

  test("numbers have thousands separators, and nouns a plural", () => {
    expect(count(135_233.4)).toBe("135,233");
    expect([plural(0, "item"), plural(1, "item"), plural(1_000, "item")]).toEqual(["0 items", "1 item", "1,000 items"]);
  });

  test("a table aligns words to the left and numbers to the right", () => {
    expect(
      table([
        ["produced", "5,000", "so far"],
        ["dead", "15"],
      ]),
    ).toBe("  produced  5,000  so far\n  dead         15");
    expect(table([])).toBe("");
  });
});

test("an option's whole number is at least 1", () => {
  expect([positiveInteger("1"), positiveInteger("135233")]).toEqual([1, 135_233]);
  for (const text of ["0", "-1", "1.5", "", "many", "1e400"]) {
    expect(() => positiveInteger(text)).toThrow("a whole number of at least 1");
  }
});
