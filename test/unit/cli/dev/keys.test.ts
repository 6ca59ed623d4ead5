import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { readKeys } from "../../../../cli/dev/key-presses.ts";

test("r starts a run, q and Ctrl-D quit, and Ctrl-C interrupts, because the terminal sends no signal", () => {
  const modes: boolean[] = [];
  const input = Object.assign(new EventEmitter(), {
    setRawMode: (mode: boolean) => void modes.push(mode),
    setEncoding: () => {},
    resume: () => {},
    pause: () => {},
  });
  const pressed: string[] = [];
  const stop = readKeys(input as unknown as Parameters<typeof readKeys>[0], {
    onStart: () => pressed.push("start"),
    onQuit: () => pressed.push("quit"),
    onInterrupt: () => pressed.push("interrupt"),
  });
  input.emit("data", "rx");
  input.emit("data", "q\u0004");
  input.emit("data", "\u0003");
  expect(pressed).toEqual(["start", "quit", "quit", "interrupt"]);
  stop();
  input.emit("data", "r");
  expect(pressed).toHaveLength(4);
  expect(modes).toEqual([true, false]);
});
