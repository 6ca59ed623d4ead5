import { existsSync, readdirSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import stringWidth from "string-width";
import { beforeAll, describe, expect, test } from "vitest";
import { CliWorld, TERMINAL } from "../../../helpers/cli.ts";
import { deadByReason, idsOf, mortalWorld } from "../../../helpers/mortal-world.ts";

describe.skipIf(process.platform !== "linux" || !existsSync(TERMINAL))("on a terminal", () => {
  let died: Awaited<ReturnType<typeof mortalWorld>>;
  beforeAll(async () => {
    died = await mortalWorld();
  });

  test("redrive asks, and sends what it showed once the user says yes", async () => {
    using world = new CliWorld(died);
    const no = await world.typeOnTerminal(["dlq", "redrive", "--reason", "permanent"], "[y/N]", "n\n");
    expect(no.code).toBe(1);
    expect(no.stdout).toContain("Nothing was sent.");
    const yes = await world.typeOnTerminal(["dlq", "redrive", "--reason", "permanent"], "[y/N]", "y\n");
    expect(yes.code).toBe(0);
    expect(stripVTControlCharacters(yes.stdout)).toMatch(
      /2 dead letters of mortal on this machine were sent back\. 9 stay in the\r\ndead-letter queue\./,
    );
    expect(await deadByReason(world)).toEqual({ exhausted: 8, "invalid item": 1 });
  });

  test("purge deletes only once the user types the number of dead letters", async () => {
    using world = new CliWorld(died);
    const yes = await world.typeOnTerminal(["dlq", "purge"], "Type 11 to continue:", "y\n");
    expect(yes.code).toBe(1);
    expect(yes.stdout).toContain("Nothing was deleted.");
    expect(readdirSync(world.path).filter((name) => name.endsWith(".jsonl"))).toEqual([]);
    const number = await world.typeOnTerminal(["dlq", "purge"], "Type 11 to continue:", "11\n");
    expect(number.code).toBe(0);
    expect(await deadByReason(world)).toEqual({});
  });

  test("the first line is visible on 24 rows, or it is repeated at the end", async () => {
    using world = new CliWorld(died);
    const linesOf = async (...words: readonly string[]) => {
      const { stdout } = await world.typeOnTerminal(words);
      // A slow machine shows the progress first, which is erased.
      const printed = stdout.slice(stdout.lastIndexOf("\u001b[?25h") + 1);
      return printed.trimEnd().split("\r\n");
    };
    const heading = /mortal on this machine: 11 dead letters$/;
    for (const words of [["dlq"], ["dlq", "list", "--by", "run"], ["dlq", "list", "--by", "dead-letter"]]) {
      const lines = await linesOf(...words);
      expect(lines.length, words.join(" ")).toBeLessThanOrEqual(22);
      expect(lines[0]).toMatch(heading);
    }
    const every = await linesOf("dlq", "list", "--by", "dead-letter", "--limit", "50");
    expect(every.length).toBeGreaterThan(22);
    expect(every.at(-1)).toMatch(heading);
    const [id = ""] = await idsOf(world);
    const shown = await linesOf("dlq", "show", id);
    expect(shown.length).toBeGreaterThan(22);
    expect(shown.at(-2)).toMatch(new RegExp(`^Dead letter ${id}`));
    expect(shown.at(-1)).toMatch(/Error: /);
  });

  test("no line is wider than the terminal, and NO_COLOR turns colours off", async () => {
    using world = new CliWorld(died);
    const { stdout } = await world.typeOnTerminal(["dlq"]);
    // The progress bar, which a slow machine shows, is drawn over itself.
    const drawn = stdout.split("\r\n").flatMap((line) => line.split("\u001b[1G"));
    for (const line of drawn) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    for (const colour of ["\u001b[1m", "\u001b[2m", "\u001b[33m"]) expect(stdout).not.toContain(colour);
    Object.assign(world.environment, { NO_COLOR: "", TERM: "xterm-256color" });
    const coloured = await world.typeOnTerminal(["dlq"]);
    expect(coloured.stdout).toContain("\u001b[33mexhausted");
  });
});
